"""Test the page in a real browser: drawing, pictures, languages, themes, keyboard, requests."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from linear_model import save
from playwright.sync_api import Browser, BrowserContext, Page, expect
from serving import Server, drawn, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def opened(context: BrowserContext, server: Server) -> Page:
    """Open the page with an empty sheet; record its errors and the hosts that it contacts."""
    page = context.new_page()
    page.complaints = []  # type: ignore[attr-defined]
    page.asked = set()  # type: ignore[attr-defined]
    page.on("console", lambda message: page.complaints.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.complaints.append(str(error)))  # type: ignore[attr-defined]
    page.on("request", lambda request: page.asked.add(request.url.split("/")[2]))  # type: ignore[attr-defined]
    page.goto(server.url)
    expect(page.locator("#text")).to_have_text("3")  # the first example
    page.click("#clear")
    expect(page.locator("#text")).to_have_text("–")
    return page


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", reduced_motion="reduce"
    )
    page = opened(context, server)
    yield page
    assert page.complaints == []  # type: ignore[attr-defined]
    assert page.asked == {f"127.0.0.1:{server.port}"}  # type: ignore[attr-defined]
    context.close()


THREE = [(0.4, 0.25), (0.5, 0.18), (0.58, 0.28), (0.5, 0.45), (0.6, 0.6), (0.52, 0.8), (0.38, 0.72)]
ONE = [(0.2, 0.2), (0.2, 0.5), (0.2, 0.8)]
CROSS = [
    [(0.3, 0.2), (0.7, 0.8)],
    [(0.7, 0.2), (0.3, 0.8)],
    [(0.5, 0.1), (0.5, 0.9)],
    [(0.2, 0.5), (0.8, 0.5)],
]


def on_sheet(page: Page, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points of the window, from shares of the sheet's width and height."""
    box = page.locator("#canvas").bounding_box()
    assert box
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def draw(page: Page, points: list[tuple[float, float]]) -> None:
    """Draw a stroke with the mouse; points are shares of the sheet."""
    places = on_sheet(page, points)
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_a_3_drawn_with_the_mouse_is_read_as_3(page: Page) -> None:
    draw(page, THREE)
    expect(page.locator("#text")).to_have_text("3")
    assert "best" in (page.locator("#bars li").nth(3).get_attribute("class") or "")
    expect(page.locator("#spoken")).to_contain_text("Reads 3")


def test_several_digits_have_boxes_and_each_its_own_layers(page: Page) -> None:
    draw(page, THREE)
    draw(page, ONE)
    expect(page.locator("#text")).to_have_text("13")
    expect(page.locator("#boxes i")).to_have_count(2)
    expect(page.locator("#digits button").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#bars .best")).to_contain_text("1")
    page.locator("#digits button").nth(1).click()
    expect(page.locator("#digits button").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#bars .best")).to_contain_text("3")


def test_every_layer_of_the_graph_is_shown_and_explained(page: Page) -> None:
    draw(page, THREE)
    cards = page.locator("#layers > li")
    expect(cards.first.locator("h3")).to_have_text("Input")
    expect(cards.nth(1).locator("h3")).to_have_text("conv1")
    expect(cards.last.locator("h3")).to_have_text("probabilities")
    for index in range(cards.count()):
        assert len(cards.nth(index).locator("p").inner_text()) > 20
    # the text for unknown layers is used for no layer of the bundled model
    expect(page.locator("#layers")).not_to_contain_text("One more step")
    expect(cards.last.locator("output").nth(3)).to_have_text(re.compile(r"0\.9\d|1\.00"))


def test_undo_eraser_and_clear(page: Page) -> None:
    draw(page, THREE)
    draw(page, ONE)
    expect(page.locator("#text")).to_have_text("13")
    page.click("#undo")
    expect(page.locator("#text")).to_have_text("3")
    page.keyboard.press("Control+z")
    expect(page.locator("#text")).to_have_text("–")
    draw(page, THREE)
    draw(page, ONE)
    page.click("#eraser")
    page.fill("#size", "60")
    draw(page, ONE)
    expect(page.locator("#text")).to_have_text("3")
    page.click("#clear")
    expect(page.locator("#text")).to_have_text("–")
    expect(page.locator("#layers li")).to_have_count(0)


def test_a_drawing_that_is_not_a_digit_is_shown_as_such(page: Page) -> None:
    for stroke in CROSS:
        draw(page, stroke)
    expect(page.locator("#text")).to_have_text("Not a digit")
    expect(page.locator("#boxes .refused")).not_to_have_count(0)


def test_a_picture_can_be_chosen(page: Page) -> None:
    file = {"name": "digits.png", "mimeType": "image/png", "buffer": drawn("1", "4", "7")}
    page.set_input_files("#file", files=[file])  # type: ignore[list-item]
    expect(page.locator("#text")).to_have_text("147")
    draw(page, THREE)  # in its place
    expect(page.locator("#text")).to_have_text("3")


def test_a_picture_can_be_dropped_and_pasted(page: Page) -> None:
    for event, holder in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([event, holder, bytes]) => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], "digits.png", {type: "image/png"}));
              const made = new Event(event, {bubbles: true, cancelable: true});
              Object.defineProperty(made, holder, {value: data});
              dispatchEvent(made);
            }""",
            [event, holder, list(drawn("7", "4"))],
        )
        expect(page.locator("#text")).to_have_text("74")
        page.click("#clear")
        expect(page.locator("#text")).to_have_text("–")


def test_the_keyboard_alone_can_draw(page: Page) -> None:
    page.focus("#canvas")
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    for _ in range(17):
        page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    expect(page.locator("#text")).to_have_text("1")


def test_the_language_changes_and_is_kept(page: Page) -> None:
    page.click("#language")
    expect(page.locator("#draw-title")).to_have_text("书写")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#canvas")).to_have_attribute("aria-label", "书写区")
    page.reload()
    expect(page.locator("#draw-title")).to_have_text("书写")
    page.click("#language")
    expect(page.locator("#draw-title")).to_have_text("Draw")


def test_the_theme_follows_the_system_and_can_be_changed(browser: Browser, server: Server) -> None:
    context = browser.new_context(color_scheme="dark")
    page = opened(context, server)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.click("#theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    context.close()


def test_a_finger_draws_on_a_phone_and_the_page_is_no_wider_than_it(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, locale="en"
    )
    page = opened(context, server)
    touch = context.new_cdp_session(page)

    def finger(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in on_sheet(page, places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    finger("touchStart", THREE[0])
    for place in THREE[1:]:
        finger("touchMove", place)
    finger("touchEnd")
    expect(page.locator("#text")).to_have_text("3")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, server: Server, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = opened(context, server)
    draw(page, THREE)
    draw(page, ONE)
    expect(page.locator("#layers > li")).not_to_have_count(0)
    found = Axe().run(page).response["violations"]
    assert not [
        (rule["id"], node["html"])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    context.close()


def write_token(file: Path) -> None:
    file.write_text("a-secret")
    file.chmod(0o600)


def test_a_token_is_asked_for_once(browser: Browser, tmp_path: Path) -> None:
    write_token(tmp_path / "token")
    with serving("--token-file", tmp_path / "token") as server:
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        page.goto(server.url)
        page.fill("#token", "a-secret")
        page.keyboard.press("Enter")
        expect(page.locator("#text")).to_have_text("3")
        page.reload()
        expect(page.locator("#text")).to_have_text("3")
        context.close()


def test_a_stopped_server_is_reported(browser: Browser) -> None:
    with serving() as server:
        context = browser.new_context(locale="en", reduced_motion="reduce")
        page = opened(context, server)
        assert server.end() == 0
        draw(page, THREE)
        expect(page.locator("#text")).to_have_text("The server does not answer.")
        context.close()


HTML = "<html><h1>502 Bad Gateway</h1></html>"
ANSWERS = [
    (502, HTML, "busy"),
    (503, HTML, "busy"),
    (504, HTML, "busy"),
    (413, HTML, "too large"),
    (403, HTML, "not the server's"),
    (200, HTML, "not the server's"),
    (200, "", "not the server's"),
    (200, "null", "not the server's"),
    (200, "[7]", "not the server's"),
    (500, '{"message": "internal"}', "not the server's"),
    (200, '{"text": "7", "digits": [{}]}', "7"),
]


@pytest.mark.parametrize(("status", "body", "says"), ANSWERS)
def test_after_an_answer_that_is_not_the_server_s_the_next_drawing_is_read(
    browser: Browser, server: Server, status: int, body: str, says: str
) -> None:
    context = browser.new_context(locale="en", reduced_motion="reduce")
    page = opened(context, server)
    page.route("**/layers*", lambda route: route.fulfill(status=status, body=body))
    draw(page, ONE)
    expect(page.locator("#text")).to_contain_text(says)
    page.unroute("**/layers*")
    draw(page, THREE)
    expect(page.locator("#text")).to_have_text("13")
    context.close()


def test_a_server_that_starts_again_behind_a_proxy_is_asked_again(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(locale="en", reduced_motion="reduce")
    page = opened(context, server)
    page.clock.install()
    page.route("**/layers*", lambda route: route.fulfill(status=502, body=HTML))
    draw(page, ONE)
    expect(page.locator("#text")).to_contain_text("busy")
    page.unroute("**/layers*")
    page.clock.run_for(1100)
    expect(page.locator("#text")).to_have_text("1")
    context.close()


def test_escaping_the_token_dialog_asks_no_more_until_the_user_wants(
    browser: Browser, tmp_path: Path
) -> None:
    write_token(tmp_path / "token")
    with serving("--token-file", tmp_path / "token") as server:
        context = browser.new_context(locale="en", reduced_motion="reduce")
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("#ask")).to_be_visible()
        for _ in range(2):  # a dialog that comes back
            page.keyboard.press("Escape")
        expect(page.locator("#ask")).to_be_hidden()
        expect(page.locator("#text")).to_contain_text("token")
        with page.expect_response("**/layers*"):
            draw(page, THREE)
        expect(page.locator("#ask")).to_be_hidden()
        page.click("#unlock")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#ask")).to_be_visible()  # that one was wrong
        page.fill("#token", "a-secret")
        page.keyboard.press("Enter")
        expect(page.locator("#text")).to_have_text("3")
        expect(page.locator("#unlock")).to_be_hidden()
        context.close()


@pytest.mark.parametrize("content", [b"hello", b""])
def test_a_refused_file_leaves_the_drawing(page: Page, content: bytes) -> None:
    draw(page, THREE)
    expect(page.locator("#text")).to_have_text("3")
    file = {"name": "notes.png", "mimeType": "image/png", "buffer": content}
    page.set_input_files("#file", files=[file])  # type: ignore[list-item]
    expect(page.locator("#text")).to_have_class("words refused")
    draw(page, ONE)
    expect(page.locator("#text")).to_have_text("13")
    page.complaints.clear()  # type: ignore[attr-defined]  # the browser's own, of the 415 or 400


def test_a_refused_file_leaves_the_picture_before_it(page: Page) -> None:
    for content in (drawn("1", "4"), b"hello", b"there"):
        file = {"name": "a.png", "mimeType": "image/png", "buffer": content}
        with page.expect_response("**/layers*"):
            page.set_input_files("#file", files=[file])  # type: ignore[list-item]
    expect(page.locator("#text")).to_have_class("words refused")
    page.click("#language")  # shows it again
    expect(page.locator("#hint")).to_be_hidden()
    page.complaints.clear()  # type: ignore[attr-defined]


def test_a_file_that_a_proxy_refuses_as_too_large_leaves_the_drawing(page: Page) -> None:
    draw(page, THREE)
    expect(page.locator("#spoken")).to_contain_text("Reads 3")  # nothing is being asked any more
    page.route("**/layers*", lambda route: route.fulfill(status=413, body=HTML))
    file = {"name": "digits.png", "mimeType": "image/png", "buffer": drawn("7")}
    page.set_input_files("#file", files=[file])  # type: ignore[list-item]
    expect(page.locator("#text")).to_have_text("The picture is too large.")
    page.unroute("**/layers*")
    draw(page, ONE)
    expect(page.locator("#text")).to_have_text("13")
    page.complaints.clear()  # type: ignore[attr-defined]


def test_of_many_named_classes_the_most_probable_are_listed_under_their_names(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["<b>bold</b>", *(f"a kind with a long name, number {number}" for number in range(61))]
    weights = np.zeros((784, 62), np.float32)
    weights[:, :2] = [0.2, 0.19]
    monkeypatch.setattr("linear_model.WEIGHTS", weights)
    metadata = {"class_names": json.dumps(names)}
    model = save(tmp_path / "letters.onnx", shape=("batch", 62), metadata=metadata)
    with serving("--model", model) as running:
        context = browser.new_context(locale="en", reduced_motion="reduce")
        page = context.new_page()
        page.goto(running.url)
        expect(page.locator("#text")).to_have_text("<b>bold</b>")  # as text, not as a tag
        expect(page.locator("#boxes b")).to_have_text("<b>bold</b>")
        bars = page.locator("#bars li")
        expect(bars).to_have_count(10)
        expect(bars.nth(0)).to_have_class("best")
        expect(bars.nth(0).locator("span").first).to_have_text(names[0])
        expect(bars.nth(1).locator("span").first).to_have_text(names[1])
        scores = page.locator("#layers > li").last.locator("li")
        expect(scores).to_have_count(10)
        expect(scores.nth(1).locator("span").first).to_have_text(names[1])
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 800})
            assert not page.evaluate(wide)
        context.close()


def test_the_docs_describe_every_path_and_ask_no_other_host(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(locale="en", reduced_motion="reduce")
    page = opened(context, server)
    page.click("footer a[href=docs]")
    described = json.loads(server.ask("GET", "/openapi.json")[2])["paths"]
    titles = page.locator("#paths h2")
    expect(titles).to_have_count(sum(map(len, described.values())))
    expect(titles.filter(has_text="POST /predict")).to_have_count(1)
    predict = page.locator(".path").filter(has=page.locator("h2", has_text="POST /predict"))
    predict.locator("summary", has_text="multipart/form-data").click()
    expect(predict.locator("details[open] pre")).to_contain_text('"maxItems"')
    assert not [
        rule["id"]
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert page.asked == {f"127.0.0.1:{server.port}"}  # type: ignore[attr-defined]
    assert page.complaints == []  # type: ignore[attr-defined]
    context.close()


def test_the_docs_of_a_server_with_a_token_need_the_one_given_to_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    write_token(tmp_path / "token")
    with serving("--token-file", tmp_path / "token") as server:
        context = browser.new_context(locale="en", reduced_motion="reduce")
        page = context.new_page()
        page.goto(f"{server.url}/docs")
        expect(page.locator("#about")).to_contain_text("requires a token")
        page.click("footer a >> nth=0")
        page.fill("#token", "a-secret")
        page.keyboard.press("Enter")
        expect(page.locator("#text")).to_have_text("3")
        page.click("footer a[href=docs]")
        expect(page.locator("#paths h2")).not_to_have_count(0)
        context.close()


def test_only_a_page_of_an_allowed_origin_reads_the_answer_in_a_browser(
    browser: Browser, tmp_path: Path
) -> None:
    ask = """(url) => {
      const headers = {Authorization: "Bearer any", "Content-Type": "application/json"};
      return fetch(url, {method: "POST", headers, body: "{}"}).then((r) => r.status, () => 0);
    }"""
    page_of = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), page_of) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        origins = [f"http://{host}:{other.server_port}" for host in ("127.0.0.1", "localhost")]
        with serving("--allow-origin", origins[0]) as server:
            context = browser.new_context()
            page = context.new_page()
            for origin, status in zip(origins, (400, 0), strict=True):
                page.goto(origin)
                assert page.evaluate(ask, f"{server.url}/predict") == status
            context.close()
        other.shutdown()
