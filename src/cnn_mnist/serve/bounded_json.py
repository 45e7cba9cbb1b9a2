"""Parse JSON of bounded complexity: a few MiB of it can otherwise become hundreds in memory."""

from typing import Any

import orjson


def loads(body: bytes, max_values: int) -> Any:
    """Parse a body as JSON.

    Args:
        body: the JSON.
        max_values: the most values, at any depth; separators within strings count too.

    Raises:
        ValueError: it is not JSON, or has more values.
    """
    # each value but the first follows a comma or an opening bracket
    if sum(map(body.count, (b",", b"[", b"{"))) > max_values:
        raise ValueError(f"the body has more than {max_values:,} values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
