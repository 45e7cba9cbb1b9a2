"""Find the files in a form (`multipart/form-data`, RFC 7578).

The whole form is in memory and is only searched for its boundary: a parser that goes byte by byte
stops the event loop for seconds on bytes that resemble the boundary.
"""

from collections.abc import Iterator
from typing import Final

from python_multipart.multipart import parse_options_header

FIELD: Final = "file"
"""The field of the files; others are ignored."""
MAX_PARTS: Final = 256
MAX_HEAD_BYTES: Final = 8 << 10


class FormError(ValueError):
    """A form that cannot be read, as a reason in plain words."""


def form_files(body: bytes, content_type: str) -> list[tuple[str | None, bytes]]:
    """Return name and content of each file in the field `file`, in the order of the form.

    Args:
        body: the form.
        content_type: the request's header, with the boundary.

    Raises:
        FormError: the form is damaged or has too many parts.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise FormError("its Content-Type has no boundary")
    files = []
    for number, (head, content) in enumerate(_parts(body, b"--" + boundary)):
        if number == MAX_PARTS:
            raise FormError(f"it has more than {MAX_PARTS} parts")
        disposition = _disposition(head)
        name = disposition.get(b"filename")
        if disposition[b"name"] == FIELD.encode("ascii") and name is not None:
            files.append((name.decode("utf-8", "replace") or None, body[content]))
    return files


def _parts(body: bytes, marker: bytes) -> Iterator[tuple[bytes, slice]]:
    """Generate each part's header lines, and the place of its content in the body."""
    start = 0 if body.startswith(marker) else body.find(b"\r\n" + marker) + 2
    if start == 1:
        raise FormError("its boundary does not occur in it")
    while not body.startswith(b"--", start := start + len(marker)):
        if not body.startswith(b"\r\n", start):
            raise FormError("a boundary is not followed by the end of its line")
        stop = body.find(b"\r\n" + marker, start)
        if stop < 0:
            raise FormError("its last boundary is missing")
        blank = body.find(b"\r\n\r\n", start, min(stop, start + MAX_HEAD_BYTES) + 2)
        if blank < 0:
            raise FormError(f"a part has no end of its headers within {MAX_HEAD_BYTES:,} bytes")
        yield body[start + 2 : blank], slice(min(blank + 4, stop), stop)
        start = stop + 2


def _disposition(head: bytes) -> dict[bytes, bytes]:
    """Return the parameters of a part's Content-Disposition."""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            _, options = parse_options_header(value)
            if b"name" in options:
                return options
    raise FormError("a part has no Content-Disposition with a name")
