"""Make hostile bodies of requests: JSON, binary tensors, forms, pictures.

`case(seed)` makes the same one again. Most are small; about one in fifty is as large as the server
accepts, or expands: deep or wide JSON, long strings, a form full of what resembles its boundary, a
picture of 50 million pixels in some kilobytes.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pictures
from pictures import Generator, mutated
from PIL import Image

INFER = "/v2/models/cnn-mnist/infer"
BOUNDARY = b"boundary"
FORM = {"Content-Type": "multipart/form-data; boundary=boundary"}

_VALUES: tuple[bytes, ...] = (
    b"null", b"true", b"0.5", b"-1", b"1e999", b"NaN", b'"x"', b"{}", b"[]", b"[[0.5]]",
    b"18446744073709551616", b'"\\ud800"', b"[1, [2]]", b'{"a": {"a": 1}}', b"[28, 28]",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A request to send by POST."""

    kind: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def case(seed: int) -> Case:
    """Return the request of a seed."""
    generator = np.random.default_rng(seed)
    large = generator.random() < 0.02
    kinds: tuple[Callable[[Generator, int, bool], Case], ...] = (_json, _binary, _form, _picture)
    return kinds[seed % len(kinds)](generator, seed, large)


def _json(generator: Generator, seed: int, large: bool) -> Case:
    """Put values of other types into a request; or one value that is large."""
    tensor: dict[str, Any] = {"name": "images", "shape": [1, 1, 28, 28], "datatype": "FP32"}
    message = {
        "id": "7",
        "inputs": [tensor | {"data": [0.5] * 784}],
        "outputs": [{"name": "logits"}],
    }
    body = json.dumps(message).encode()
    places = [b'"7"', b'"images"', b"[1, 1, 28, 28]", b'"FP32"', b'"logits"', b"0.5", b'[{"name"']
    value = _large_value(generator) if large else _VALUES[generator.integers(len(_VALUES))]
    body = body.replace(places[generator.integers(len(places))], value, 1)
    if generator.random() < 0.3:
        body = mutated({"json": body}, seed)[1]
    path = INFER if generator.random() < 0.8 else "/predict"
    return Case("json", path, body, {"Content-Type": "application/json"})


def _large_value(generator: Generator) -> bytes:
    """Return JSON of up to 4 MB of one kind."""
    count = int(generator.integers(1, 400_000))
    numbers = b"[" + b",".join([b"0.5"] * count) + b"]"
    return (
        b'["' + b"a" * (4 * count) + b'"' + b',"b"' * 1000 + b"]",
        b"[" * count + b"]" * count,
        b"[" * 900 + b"1" + b"]" * 900,
        b"[" + b",".join([b"[]"] * count) + b"]",
        b"[" + b",".join([b'{"a":1}'] * count) + b"]",
        b'"' + "é𝄞".encode() * count + b'"',
        b'"' + b"\\u0041" * count + b'"',
        numbers,
        b"[" + b",".join([b"18446744073709551615"] * (count // 2)) + b"]",
    )[generator.integers(9)]


def _binary(generator: Generator, _: int, large: bool) -> Case:
    """Let sizes and header lengths not fit the bytes that follow."""
    count = int(generator.integers(1, 257 if large else 4))
    tensor = generator.random((count, 784), np.float32).tobytes()
    if generator.random() < 0.3:
        tensor = generator.bytes(len(tensor))
    size = int(generator.choice([len(tensor), len(tensor) + 4, 0, -4, 2**40]))
    parameters = {"binary_data_size": size, "binary_data": True}
    shape = [int(generator.choice([count, count + 1, 0, -1, 2**40])), 1, 28, 28]
    values = {"name": "images", "shape": shape, "datatype": "FP32", "parameters": parameters}
    header = json.dumps({"inputs": [values], "parameters": {"binary_data_output": True}}).encode()
    length = generator.choice([str(len(header)), str(len(header) + 1), "0", "-1", "9" * 30, "x"])
    fields = {"Inference-Header-Content-Length": str(length)}
    return Case("binary", INFER, header + tensor, fields)


def _form(generator: Generator, seed: int, large: bool) -> Case:
    """Damage a form, or fill it with what resembles its boundary."""
    head = b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
    content = pictures.encoded(pictures.drawing(), "PNG")
    if large:
        piece = (b"\r", b"\r\n--", b"\r\n--boundar", b"--boundary", b"\0", head)
        chosen = piece[generator.integers(len(piece))]
        content = chosen * (int(generator.integers(1, 16 << 20)) // len(chosen))
    part = head + content + b"\r\n"
    if generator.random() < 0.2:
        part *= int(generator.integers(2, 9 if not large else 3))
    body = part + b"--boundary--\r\n"
    if not large and generator.random() < 0.7:
        body = mutated({"form": body}, seed)[1]
    return Case("form", "/predict", body, FORM)


def _picture(generator: Generator, seed: int, large: bool) -> Case:
    """Damage a picture; or let a small file be a very large picture."""
    content = mutated(pictures.seeds(), seed)[1]
    if large:
        content = _bombs()[generator.integers(len(_bombs()))]
    path = str(generator.choice(["/predict", "/layers", "/layers?digit=1"]))
    if generator.random() < 0.1:
        body = json.dumps({"image": b64encode(content).decode("ascii")}).encode()
        return Case("picture", "/predict", body, {"Content-Type": "application/json"})
    return Case("picture", path, content)


@cache
def _bombs() -> tuple[bytes, ...]:
    """Return small files of up to 50 million pixels, and some that are larger."""
    side = 7000
    deep = np.zeros((side, side), np.uint16)
    made = {
        "RGBA": Image.new("RGBA", (side, side), (0, 0, 0, 128)),
        "RGB": Image.new("RGB", (side, side), "white"),
        "grey": Image.new("L", (side, side), 90),
        "16 bits": Image.fromarray(deep),
        "palette": Image.new("P", (side, side)),
        "1 bit": Image.new("1", (side, side)),
        "wide": Image.new("1", (60_000, 800)),
        "too large": Image.new("1", (12_000, 12_000)),
    }
    files = [pictures.encoded(image, "PNG") for image in made.values()]
    clear = pictures.encoded(made["1 bit"], "PNG", transparency=0)
    frames = [Image.new("P", (3000, 3000), shade) for shade in range(8)]
    stream = BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    jpeg = pictures.encoded(made["grey"], "JPEG")
    fax = pictures.encoded(made["1 bit"], "TIFF", compression="group4")
    return (*files, clear, stream.getvalue(), jpeg, fax)
