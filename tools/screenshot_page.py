"""Take the screenshot of the server's page that the documentation shows.

    python tools/screenshot_page.py docs/images/page.png

Chromium renders the page at 1280 x 1180 with the second example on it; the image is reduced to 256
colours.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright


@contextmanager
def served() -> Iterator[str]:
    """Run a server of the bundled model for the length of the block and give its URL."""
    command = [sys.executable, "-m", "cnn_mnist", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        match = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        try:
            if not match:
                raise SystemExit("error: the server did not start: run `cnn-mnist serve`")
            yield match[0]
        finally:
            process.terminate()


def main() -> None:
    """Render the page and write the image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="the PNG file to write")
    path = parser.parse_args().path
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": 1280, "height": 1180}, locale="en", reduced_motion="reduce"
        )
        page.goto(url)
        page.click("#example")
        page.locator("#text", has_text="42").wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)  # until the boxes have reached their places
        image = Image.open(BytesIO(page.screenshot()))
        image.convert("RGB").quantize(256).save(path, optimize=True)
        browser.close()
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
