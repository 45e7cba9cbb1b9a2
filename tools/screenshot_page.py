"""The page as a picture, for the documents.

    python benchmarks/page.py docs/images/page.png

Chromium draws it at 1280 x 1180 with the second example on the sheet; the picture is reduced to 256
colours.
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from serve import served


def main() -> None:
    """Draw and write."""
    with (
        served(lambda port: [sys.executable, "-m", "cnn_mnist", "serve", "--port", str(port)]) as (
            port,
            _,
        ),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": 1280, "height": 1180}, locale="en", reduced_motion="reduce"
        )
        page.goto(f"http://127.0.0.1:{port}")
        page.click("#example")
        page.locator("#text", has_text="42").wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)  # for the boxes to reach their places
        picture = Image.open(BytesIO(page.screenshot()))
        picture.convert("RGB").quantize(256).save(sys.argv[1], optimize=True)
        browser.close()
    print(f"{sys.argv[1]}: {Path(sys.argv[1]).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
