"""Take a picture out of JSON, where it is base64: `{"image": "iVBORw0..."}`.

For clients that send nothing but JSON. A `data:` URL, which browsers make of a file or a canvas, is
accepted as it is.
"""

import binascii
from base64 import b64decode
from typing import Final

from cnn_mnist.serve.bounded_json import loads

KEY: Final = "image"
"""The key of the picture; others are ignored."""

_MAX_VALUES: Final = 64
_EXPECTED: Final = f'expected {{"{KEY}": "BASE64"}}'


def picture_in(body: bytes) -> bytes:
    """Return the picture in a JSON body.

    Raises:
        ValueError: it is not JSON, has no picture, or the picture is not base64.
    """
    message = loads(body, _MAX_VALUES)
    text = message.get(KEY) if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise ValueError(f"the JSON has no picture: {_EXPECTED}")
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise ValueError(f"{KEY} is a data: URL of another form: {_EXPECTED}")
    try:
        # tools break base64 into lines, which are not part of it
        picture = b64decode(text.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"{KEY} is not base64: {_EXPECTED}") from error
    if not picture:
        raise ValueError(f"{KEY} is empty: {_EXPECTED}")
    return picture
