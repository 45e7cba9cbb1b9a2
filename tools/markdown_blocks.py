"""Find the fenced code blocks of a Markdown page."""

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block that can be run."""

    language: str
    """`python` or `bash`."""
    code: str
    shown: bool
    """Whether the page shows what it prints, because `{{ output }}` follows."""


def blocks(page: str) -> list[Block]:
    """Return the code blocks of a page's template, in order."""
    return [
        Block(match[1], match[2], page[match.end() :].lstrip().startswith("{{ output }}"))
        for match in _FENCE.finditer(page)
    ]


def pieces(page: str) -> list[tuple[str, str]]:
    """Cut a page into `(kind, text)` pairs; the kind is `text`, or the language of a block."""
    cut: list[tuple[str, str]] = []
    start = 0
    for match in _FENCE.finditer(page):
        cut += [("text", page[start : match.start()]), (match[1], match[2])]
        start = match.end()
    return [*cut, ("text", page[start:])]
