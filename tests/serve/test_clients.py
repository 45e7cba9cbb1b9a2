"""Test what other clients ask for: several pictures, base64 in JSON, other origins, the docs."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from serving import Server, drawn, serving

from cnn_mnist.cli import cli

PAGE = "http://localhost:3000"
FORM = "multipart/form-data; boundary=line"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that requires a token, and that pages of two origins may call."""
    file = tmp_path_factory.mktemp("server") / "token"
    file.write_text("a-secret")
    file.chmod(0o600)
    origins = ("--allow-origin", PAGE, "--allow-origin", "HTTPS://Example.org")
    with serving("--token-file", file, *origins) as running:
        yield running


def predict(server: Server, body: bytes, content_type: str) -> tuple[int, dict[str, object]]:
    fields = {"Authorization": "Bearer a-secret", "Content_Type": content_type}
    status, _, answer = server.ask("POST", "/predict", body, **fields)
    return status, json.loads(answer)


def form(*files: tuple[str, bytes]) -> bytes:
    parts = [
        f'--line\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        + content
        for name, content in files
    ]
    return b"\r\n".join([*parts, b"--line--\r\n"])


def test_several_pictures_are_answered_as_predict_json_does(server: Server) -> None:
    body = form(("1.png", drawn("1")), ("not.png", b"hello"), ("47.gif", drawn("4", "7")))
    status, answer = predict(server, body, FORM)
    assert status == 200
    assert list(answer) == ["images", "errors"]
    alone = [
        predict(server, form((name, drawn(*name[:-4]))), FORM)[1] for name in ("1.png", "47.gif")
    ]
    assert answer["images"] == alone
    assert [reading["text"] for reading in alone] == ["1", "47"]
    (failure,) = answer["errors"]  # type: ignore[misc]
    assert failure["file"] == "not.png"
    assert "not an image" in failure["error"]


def test_several_files_of_which_none_is_an_image_are_415(server: Server) -> None:
    status, answer = predict(server, form(("a", b"hello"), ("b", b"there")), FORM)
    assert status == 415
    assert list(answer) == ["error"]


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
@pytest.mark.parametrize("head", ["", "data:image/png;base64,", "DATA:;BASE64,"])
def test_a_picture_in_json_is_read_as_the_file_itself(
    server: Server, head: str, content_type: str
) -> None:
    picture = drawn("1", "4")
    text = b64encode(picture).decode()
    lines = "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    expected = predict(server, picture, "image/png")
    for value in (text, lines):
        body = json.dumps({"image": head + value, "other": [1, 2]}).replace("/", "\\/").encode()
        assert predict(server, body, content_type) == expected
    assert expected[1]["text"] == "14"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "no picture"),
        ('"image"', "no picture"),
        ("{}", "no picture"),
        ('{"image": 7}', "no picture"),
        ('{"image": ["aGVsbG8="]}', "no picture"),
        ('{"image": ""}', "empty"),
        ('{"image": "data:image/png;base64,"}', "empty"),
        ('{"image": "data:text/plain,hello"}', "another form"),
        ('{"image": "data:"}', "another form"),
        ('{"image": "a"}', "not base64"),
        ('{"image": "aGVsbG8"}', "not base64"),
        ('{"image": "aGV$bG8="}', "not base64"),
        ('{"image": "aGVsbG8=é"}', "not base64"),
        (json.dumps({"image": "aGVsbG8=", "more": [{}] * 1000}), "more than 64 values"),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/layers"])
def test_json_without_a_picture_is_400(server: Server, path: str, body: str, says: str) -> None:
    fields = {"Authorization": "Bearer a-secret", "Content_Type": "application/json"}
    status, _, answer = server.ask("POST", path, body.encode(), **fields)
    assert status == 400
    assert says in json.loads(answer)["error"]


def test_base64_that_is_not_an_image_is_415(server: Server) -> None:
    assert predict(server, b'{"image": "aGVsbG8="}', "application/json")[0] == 415


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_scheme_of_the_token_is_in_any_case(server: Server, scheme: str) -> None:
    assert server.ask("GET", "/v2", Authorization=f"{scheme} a-secret")[0] == 200
    for wrong in (
        f"{scheme} A-SECRET",
        "a-secret",
        "Basic a-secret",
        f"{scheme}",
        "bearera-secret",
    ):
        assert server.ask("GET", "/v2", Authorization=wrong)[0] == 401


@pytest.mark.parametrize("origin", [PAGE, "https://example.org"])
def test_a_page_of_an_allowed_origin_can_call_the_server(server: Server, origin: str) -> None:
    asks = {
        "Origin": origin,
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type",
    }
    status, fields, body = server.ask("OPTIONS", "/predict", **asks)
    assert (status, body) == (204, b"")
    assert fields["access-control-allow-origin"] == origin
    assert "POST" in fields["access-control-allow-methods"]
    assert fields["access-control-allow-headers"] == "authorization,content-type"
    for path, token, expected in (
        ("/v2", "Bearer a-secret", 200),
        ("/v2", "Bearer wrong", 401),
        ("/nothing", "Bearer a-secret", 404),
    ):
        status, fields, _ = server.ask("GET", path, Origin=origin, Authorization=token)
        assert status == expected
        assert fields["access-control-allow-origin"] == origin
        assert fields["vary"] == "Origin"
        assert "access-control-allow-credentials" not in fields


@pytest.mark.parametrize(
    "origin", ["http://localhost:3001", "https://example.org.evil.org", "null", ""]
)
def test_a_page_of_another_origin_cannot(server: Server, origin: str) -> None:
    for method in ("OPTIONS", "GET"):
        asks = {"Origin": origin, "Access_Control_Request_Method": "POST"}
        status, fields, body = server.ask(method, "/v2", **asks)
        assert status == 401
        assert list(json.loads(body)) == ["error"]
        assert not [name for name in fields if name.startswith("access-control")]
        assert fields["vary"] == "Origin"


def test_every_origin_can_be_allowed_and_none_is_by_default() -> None:
    asks = {"Origin": "null", "Access_Control_Request_Method": "POST"}
    with serving("--allow-origin", "*") as server:
        status, fields, _ = server.ask("OPTIONS", "/predict", **asks)
        assert (status, fields["access-control-allow-origin"]) == (204, "*")
        assert server.ask("GET", "/v2", Origin=PAGE)[1]["access-control-allow-origin"] == "*"
    with serving() as server:
        status, fields, _ = server.ask("OPTIONS", "/predict", **asks)
        assert status == 405
        assert not {"access-control-allow-origin", "vary"} & set(fields)


@pytest.mark.parametrize(
    "origin", ["localhost:3000", "http://localhost:3000/", "https://a.org/b", "", "http://", "**"]
)
def test_what_is_not_an_origin_is_wrong_usage(origin: str) -> None:
    result = CliRunner().invoke(cli, ["serve", "--allow-origin", origin])
    assert result.exit_code == 2
    assert "is not an origin" in result.stderr


def test_the_docs_load_nothing_from_other_hosts_and_need_no_token(server: Server) -> None:
    folder = Path(__file__).parents[2] / "src" / "cnn_mnist" / "serve" / "page"
    for path, name in (("/docs", "docs.html"), ("/docs.js", "docs.js")):
        status, fields, body = server.ask("GET", path)
        assert status == 200
        assert body == (folder / name).read_bytes()
        assert b"://" not in body
        assert "default-src 'none'" in fields["content-security-policy"]
    assert server.ask("GET", "/openapi.json")[0] == 401
