"""Test how the server reads: fields, digits only, whole pictures, as the query says."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from forms import table
from serving import Server, drawn, error, form, predicted, serving

from cnn_mnist.reading.reader import read


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("how", [{}, {"fields": True}, {"digits_only": True}, {"whole": True}])
def test_python_the_command_line_and_the_server_agree_however_a_picture_is_read(
    server: Server, tmp_path: Path, how: dict[str, bool]
) -> None:
    file = tmp_path / "form.png"
    table(2, 2, sevens=[(1, 1), (1, 2), (2, 2)]).save(file)
    query = "&".join(f"{name}=true" for name in how)
    status, _, body = server.ask("POST", f"/predict?{query}", file.read_bytes())
    assert status == 200
    answer = json.loads(body)
    options = [f"--{name.replace('_', '-')}" for name in how]
    assert answer == predicted(file, *options) | {"file": "-"}
    assert answer == read(file, **how).to_dict() | {"file": "-"}
    assert len(answer["digits"]) == (1 if "whole" in how else 3)
    assert ("fields" in answer) == ("fields" in how)


def test_every_picture_of_a_request_is_read_as_the_query_says(server: Server) -> None:
    stream = BytesIO()
    table(2, 2, sevens=[(1, 1)]).save(stream, "PNG")
    first, second = (form(stream.getvalue(), name) for name in ("a.png", "b.png"))
    both = first | {"body": first["body"].removesuffix(b"--line--\r\n") + second["body"]}
    _, _, body = server.ask("POST", "/predict?fields=1", **both)
    images = json.loads(body)["images"]
    assert [[field["text"] for field in image["fields"]] for image in images] == [
        ["7", "", "", ""]
    ] * 2


@pytest.mark.parametrize("query", ["fields=x", "digits_only=7", "whole=", "fields=maybe&whole=1"])
def test_a_wrong_value_of_a_query_parameter_is_400(server: Server, query: str) -> None:
    status, _, body = server.ask("POST", f"/predict?{query}", drawn("1"))
    assert status == 400
    assert f"invalid value: {query.split('=')[0]}: Input should be a valid bool" in error(body)
