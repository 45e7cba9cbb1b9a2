"""The report in a real browser: no console message, no request, nothing wider than the screen."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import one_thread, tiny_dataset, trained  # noqa: F401 - a fixture

from cnn_mnist.report import study, write_report

pytestmark = pytest.mark.browser

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The report of a run with convolutions, and of two runs beside each other."""
    folder = tmp_path_factory.mktemp("browser")
    for name, network in (("small", "small"), ("softmax", "softmax")):
        trained(folder / name, network=network, steps=10)
    studies = [study(folder / name, tiny_dataset()) for name in ("small", "softmax")]
    paths = [folder / "one.html", folder / "two.html"]
    write_report(studies[:1], paths[0])
    write_report(studies, paths[1])
    return paths


@pytest.fixture(scope="module")
def browser() -> Iterator["webdriver.Chrome"]:
    """Chromium without a window; what it loads and says is logged."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("Chromium or its driver is not here")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("number", [0, 1])
def test_the_report_opens_silently_and_fits(
    browser: "webdriver.Chrome", pages: list[Path], number: int, scheme: str, width: int
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(pages[number].as_uri())
    assert browser.get_log("browser") == []
    requests = [
        entry["message"]
        for entry in browser.get_log("performance")
        if "Network.requestWillBeSent" in entry["message"]
    ]
    assert all('"url":"file:' in text or '"url":"data:' in text for text in requests)
    root = "document.documentElement"
    assert browser.execute_script(f"return {root}.scrollWidth") <= width
    assert browser.execute_script(
        "return [...document.images].every(image => image.complete && image.naturalWidth > 0)"
    )
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, background[4:-1].split(","))) < 300
    assert dark == (scheme == "dark")
