"""Read a request's body within its limit, and the picture in it."""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

RAW_NAME: Final = "-"
"""The name of a picture that comes without a file name, as on the command line."""

_DISCARDED: Final = 4
"""A body that is too large is read, and discarded, up to this many times its limit: most clients
read the response only when they have sent everything."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body.

    Args:
        request: the request.
        limit: the largest body in bytes.

    Raises:
        HTTPException: 413 it is larger; 415 it is compressed; 400 the client disconnected.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "compressed bodies are not accepted: send the bytes as they are")
    announced = request.headers.get("content-length", "0")
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    # a client that sends `Expect: 100-continue` waits for a response before it sends the body
    if size > limit and (size > _DISCARDED * limit or "expect" in request.headers):
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size <= limit:
                parts.append(part)
            elif size > _DISCARDED * limit:
                break
            else:
                parts.clear()
    except ClientDisconnect as error:
        raise HTTPException(400, "the client disconnected before the end of the body") from error
    if size > limit:
        raise _too_large(limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_picture(request: Request, limit: int) -> tuple[str, bytes]:
    """Return the picture in a body: the body itself, or the part `file` of a form.

    Args:
        request: the request.
        limit: the largest body in bytes, the form included.

    Returns:
        The file's name and its bytes.

    Raises:
        HTTPException: see `read_body`; 400 the body is empty, or the form is damaged or has no
            file.
    """
    body = await read_body(request, limit)
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        if not body:
            raise HTTPException(400, "the body is empty: send an image")
        return RAW_NAME, body
    try:
        form = await MultiPartParser(
            request.headers, _once(body), max_files=1, max_fields=8, max_part_size=1 << 16
        ).parse()
    except (MultiPartException, FormParserError, KeyError, ValueError) as error:
        # KeyError and ValueError: a boundary or a header that the parser does not expect
        message = getattr(error, "message", "")
        raise HTTPException(400, f"the form cannot be read{message and ': '}{message}") from error
    file = form.get("file")
    if file is None or isinstance(file, str):
        raise HTTPException(400, "the form has no file in its field `file`")
    try:
        return file.filename or RAW_NAME, await file.read()
    finally:
        await form.close()


async def _once(body: bytes):  # type: ignore[no-untyped-def]
    yield body


def _too_large(limit: int) -> HTTPException:
    # the connection closes because the unread rest of the body is where the next request would be
    return HTTPException(
        413, f"the body is larger than {limit:,} bytes", headers={"Connection": "close"}
    )
