"""Test the report in a browser: no console message, no request, nothing wider than the screen."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tiny import one_thread, tiny_dataset, trained  # noqa: F401 - a fixture

from cnn_mnist.report import summarize, write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The report of a run with convolutions, and of two runs side by side."""
    folder = tmp_path_factory.mktemp("browser")
    for name, network in (("small", "small"), ("softmax", "softmax")):
        trained(folder / name, network=network, steps=10)
    summaries = [summarize(folder / name, tiny_dataset()) for name in ("small", "softmax")]
    paths = [folder / "one.html", folder / "two.html"]
    write_report(summaries[:1], paths[0])
    write_report(summaries, paths[1])
    return paths


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("number", [0, 1])
def test_the_report_opens_without_messages_and_fits_the_screen(
    browser: Browser, pages: list[Path], number: int, scheme: str, width: int
) -> None:
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
        is_mobile=width < 600,
    )
    page, messages, requests = context.new_page(), [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(pages[number].as_uri())
    assert messages == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    )
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, background[4:-1].split(","))) < 300
    assert dark == (scheme == "dark")
    context.close()
