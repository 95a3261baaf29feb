"""A deliberate fault of the engine: texts of the source that are replaced, in a copy and never in the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from msgspec import Struct

_ROOT = Path(__file__).parents[3]
#: What a story needs.
_COPIED = ("engine", "tests/simulation", "tests/property")


class Stale(Exception):
    """The text that a mutation replaces is not in the source any more, or stands there more than once."""


class Edit(Struct, frozen=True):
    """In this file, relative to the root, ``before`` stands exactly once and becomes ``after``."""

    file: str
    before: str
    after: str


class Mutation(Struct, frozen=True):
    """What is broken, in words, and where."""

    name: str
    edits: tuple[Edit, ...]

    @property
    def place(self) -> str:
        """The files that it touches."""
        return ", ".join(dict.fromkeys(edit.file for edit in self.edits))

    def mutated(self) -> dict[str, str]:
        """Return the text of every file that it touches; raise ``Stale`` where the source has moved on."""
        texts: dict[str, str] = {}
        for edit in self.edits:
            text = texts.get(edit.file) or (_ROOT / edit.file).read_text()
            found = text.count(edit.before)
            if found != 1:
                raise Stale(
                    f"mutation {self.name!r}: {edit.file} holds the text to replace {found} times and not once; "
                    f"write it anew:\n{edit.before}"
                )
            texts[edit.file] = text.replace(edit.before, edit.after)
        return texts


def mutation(name: str, file: str, before: str, after: str, *more: tuple[str, str, str]) -> Mutation:
    """Return a mutation of one place or of several."""
    return Mutation(name, (Edit(file, before, after), *(Edit(*each) for each in more)))


def copy_source(folder: Path) -> None:
    """Copy what a story needs into a folder."""
    for part in _COPIED:
        shutil.copytree(_ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))


def apply(mutation: Mutation, folder: Path) -> None:
    """Break the copy in a folder."""
    for file, text in mutation.mutated().items():
        (folder / file).write_text(text)
