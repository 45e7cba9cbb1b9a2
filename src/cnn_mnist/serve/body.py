"""Read a request's body within its limit, and the pictures in it."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from cnn_mnist.serve.base64_json import picture_in
from cnn_mnist.serve.form import FIELD, FormError, form_files
from cnn_mnist.serve.memory_budget import Share

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
        BusyError: all bodies together are larger than the server holds.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "compressed bodies are not accepted: send the bytes as they are")
    announced = request.headers.get("content-length", "0")
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    # a client that sends `Expect: 100-continue` waits for a response before it sends the body
    if size > limit and (size > _DISCARDED * limit or "expect" in request.headers):
        raise _too_large(limit)
    share = Share.of(request.scope)
    body = bytearray()
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size <= limit:
                share.add(len(part))
                body += part
            elif size > _DISCARDED * limit:
                break
            else:
                body.clear()
                share.clear()
    except ClientDisconnect as error:
        raise HTTPException(400, "the client disconnected before the end of the body") from error
    if size > limit:
        raise _too_large(limit)
    return bytes(body)


async def read_pictures(request: Request, limit: int) -> list[tuple[str, bytes]]:
    """Return the pictures in a body: the body itself, a form's files `file`, or base64 in JSON.

    Args:
        request: the request.
        limit: the largest body in bytes, the form or JSON included.

    Returns:
        Each file's name and its bytes, at least one.

    Raises:
        HTTPException: see `read_body`; 400 the body is empty, or the form or JSON is damaged
            or has no picture.
        BusyError: see `read_body`.
    """
    body = await read_body(request, limit)
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            return [(RAW_NAME, picture_in(body))]
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
    if kind != "multipart/form-data":
        if not body:
            raise HTTPException(400, "the body is empty: send an image")
        return [(RAW_NAME, body)]
    try:
        files = form_files(body, content_type)
    except FormError as error:
        raise HTTPException(400, f"the form cannot be read: {error}") from error
    if not files:
        raise HTTPException(400, f"the form has no file in its field `{FIELD}`")
    return [(name or RAW_NAME, content) for name, content in files]


async def read_picture(request: Request, limit: int) -> tuple[str, bytes]:
    """Return the one picture in a body, as `read_pictures` does.

    Raises:
        HTTPException: see `read_pictures`; 400 there are several.
        BusyError: see `read_body`.
    """
    pictures = await read_pictures(request, limit)
    if len(pictures) > 1:
        raise HTTPException(400, f"the form has {len(pictures)} files: send one")
    return pictures[0]


def _too_large(limit: int) -> HTTPException:
    # the connection closes because the unread rest of the body is where the next request would be
    return HTTPException(
        413, f"the body is larger than {limit:,} bytes", headers={"Connection": "close"}
    )
