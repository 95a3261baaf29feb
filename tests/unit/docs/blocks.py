"""The examples in the pages: fenced blocks with the words behind their opening fence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.model.payload import Json

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING"))]

_BLOCK = re.compile(r"^```(?P<words>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, words: str) -> list[str]:
    """Return the texts of all blocks of a page that open with exactly these words, such as ``json workflow``."""
    return [found["text"] for found in _BLOCK.finditer(page.read_text()) if found["words"].strip() == words]


def json_blocks(page: Path) -> Iterator[tuple[str, Json]]:
    """Yield every JSON block of a page: the word behind ``json`` (may be empty) and the value."""
    for found in _BLOCK.finditer(page.read_text()):
        language, _, kind = found["words"].strip().partition(" ")
        if language == "json":
            yield kind, msgspec.json.decode(found["text"])


def block(page: Path, words: str) -> str:
    """Return the only block of a page with these words."""
    (text,) = blocks(page, words)
    return text
