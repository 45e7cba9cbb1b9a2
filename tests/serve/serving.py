"""Start servers as processes, and draw pictures, for the tests of serving."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

INFER = "/v2/models/cnn-mnist/infer"
TENSOR = {
    "name": "images", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0.5] * 784,
}  # fmt: skip
BODY = json.dumps({"inputs": [TENSOR]}).encode()
"""An inference request."""
SLOW = """
import time
from cnn_mnist.inference.model import Model
predict = Model.predict
def slowly(self, images):
    time.sleep(0.5)
    return predict(self, images)
Model.predict = slowly
"""
"""Makes a server's model take half a second; for `serving`."""

FORM = "multipart/form-data; boundary=line"
"""The content type of `form`."""

_START = "import resource, sys\n{}\nfrom cnn_mnist.cli import main\nmain()"


@dataclass
class Server:
    """A running `cnn-mnist serve`."""

    process: "subprocess.Popen[str]"
    port: int
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return status, headers (names in lower case) and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()

    def socket(self) -> socket.socket:
        """Open a connection, for sending raw bytes."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(40)


@contextmanager
def serving(*args: object, before: str = "") -> Iterator[Server]:
    """Run a server on a free port.

    Args:
        args: arguments of `cnn-mnist serve`.
        before: Python code that its process runs first, to shorten limits for a test.
    """
    command = [sys.executable, "-c", _START.format(before), "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, *map(str, args)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        match = re.search(r"http://127\.0\.0\.1:(\d+)", first)
        assert match, first + process.stderr.read()
        server = Server(process, int(match[1]))

        def collect() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                server.log.append(json.loads(line) if line.startswith("{") else {"text": line})

        collector = threading.Thread(target=collect)
        collector.start()
        try:
            server.ask("GET", "/v2/health/live")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(40)
            finally:
                process.kill()
                collector.join()


def drawn(*digits: str, kind: str = "PNG") -> bytes:
    """Draw the digits 1, 4 or 7, dark on white; return the picture file's content."""
    strokes = {
        "1": [[(50, 15), (50, 85)]],
        "4": [[(38, 15), (30, 55), (68, 55)], [(58, 30), (56, 88)]],
        "7": [[(25, 18), (70, 18), (45, 85)]],
    }
    page = Image.new("L", (100 * max(1, len(digits)), 100), "white")
    draw = ImageDraw.Draw(page)
    for number, digit in enumerate(digits):
        for stroke in strokes[digit]:
            draw.line([(100 * number + x, y) for x, y in stroke], 20, 7, "curve")
    stream = BytesIO()
    page.save(stream, kind)
    return stream.getvalue()


def error(body: bytes) -> str:
    """Return the message of an answer that must be an error."""
    values = json.loads(body)
    assert list(values) == ["error"]
    return str(values["error"])


def form(content: bytes, name: str = "my digit.png", field: str = "file") -> dict[str, Any]:
    """Return the body and the content type of a form with one file."""
    disposition = f'form-data; name="{field}"; filename="{name}"'
    head = f"--line\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    body = head + content + b"\r\n--line--\r\n"
    return {"body": body, "content_type": FORM}


def predicted(file: Path, *options: str) -> dict[str, Any]:
    """Return the output of `predict --json` for a file."""
    run = subprocess.run(
        [sys.executable, "-m", "cnn_mnist", "predict", "--json", *options, str(file)],
        capture_output=True, check=True,
    )  # fmt: skip
    (image,) = json.loads(run.stdout)["images"]
    return dict(image)
