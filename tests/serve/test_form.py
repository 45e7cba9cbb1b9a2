"""Test how the files of a form are found."""

import time

import pytest

from cnn_mnist.serve.form import MAX_PARTS, FormError, form_files

TYPE = "multipart/form-data; boundary=b"


def part(content: bytes, name: str = "file", file: str | None = "x.png") -> bytes:
    end = f'; filename="{file}"' if file is not None else ""
    head = f'Content-Disposition: form-data; name="{name}"{end}'
    return f"--b\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def test_all_files_of_the_field_are_returned_in_order() -> None:
    body = (
        part(b"1", file="é.png") + part(b"?", "other") + part(b"?", file=None) + part(b"", file="")
    )
    assert form_files(body + b"--b--", TYPE) == [("é.png", b"1"), (None, b"")]


def test_a_preamble_an_epilogue_and_a_quoted_boundary_are_allowed() -> None:
    body = b"before\r\n" + part(b"1\r\n2\r\n-b") + b"--b--\r\nafter"
    assert form_files(body, 'multipart/form-data; boundary="b"') == [("x.png", b"1\r\n2\r\n-b")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "does not occur"),
        (b"--", "does not occur"),
        (b"--b", "end of its line"),
        (b"--bb\r\n", "end of its line"),
        (b"--b\r\n", "last boundary"),
        (part(b"1"), "last boundary"),
        (b"--b\r\nContent-Disposition: form-data; name=file\r\n--b--", "Content-Disposition|end"),
        (b"--b\r\n\r\n\r\n--b--", "Content-Disposition"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n\r\n--b--", "Content-Disposition"),
        (b"--b\r\n" + b"x" * 10_000 + b"\r\n\r\n\r\n--b--", "headers within"),
        (part(b"1") * (MAX_PARTS + 1) + b"--b--", "parts"),
    ],
)
def test_a_damaged_form_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(FormError, match=says):
        form_files(body, TYPE)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(kind: str) -> None:
    with pytest.raises(FormError, match="no boundary"):
        form_files(b"--b--", kind)


def test_bytes_that_resemble_the_boundary_take_no_longer_than_others() -> None:
    began = time.process_time()  # a parser that goes byte by byte takes five seconds
    for piece in (b"\r\n--", b"\r\n--ab", b"\r\n-", b"\r"):
        content = piece * ((16 << 20) // len(piece))
        body = part(content).replace(b"--b", b"--aa") + b"--aa--"
        assert form_files(body, "multipart/form-data; boundary=aa") == [("x.png", content)]
    assert time.process_time() - began < 4
