"""A request's body: read within its limit, and the picture in it."""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

RAW_NAME: Final = "-"
"""What a picture without a file name is called, as on the command line."""

_DROPPED: Final = 4
"""Of a body that is too large, this many times its limit is still read, and dropped: most clients
look for the answer only when they have sent everything."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Args:
        request: the request.
        limit: its largest size in bytes.

    Raises:
        HTTPException: 413 it is larger; 415 it is compressed; 400 its client broke off.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "compressed bodies are not taken: send the bytes as they are")
    announced = request.headers.get("content-length", "0")
    parts: list[bytes] = []
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    patient = size <= _DROPPED * limit and "expect" not in request.headers
    if size > limit and not patient:
        raise _too_large(limit)
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size <= limit:
                parts.append(part)
            elif size > _DROPPED * limit:
                break
            else:
                parts.clear()
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended before its end") from error
    if size > limit:
        raise _too_large(limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_picture(request: Request, limit: int) -> tuple[str, bytes]:
    """The picture in a body: the body itself, or the part `file` of a form.

    Args:
        request: the request.
        limit: of the whole body, in bytes.

    Returns:
        The file's name and its bytes.

    Raises:
        HTTPException: as `read_body`; 400 the form is damaged or has no file, or there is no body.
    """
    body = await read_body(request, limit)
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        if not body:
            raise HTTPException(400, "there is no picture in the body")
        return RAW_NAME, body
    try:
        form = await MultiPartParser(
            request.headers, _once(body), max_files=1, max_fields=8, max_part_size=1 << 16
        ).parse()
    except (MultiPartException, FormParserError, KeyError, ValueError) as error:
        # KeyError and ValueError: a boundary or a header that the parser does not foresee
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
    # the rest of the body stands where the next request would
    return HTTPException(
        413, f"the body is larger than {limit:,} bytes", headers={"Connection": "close"}
    )
