"""What can be wrong with a workflow written in Python; each error names the line that is to be mended."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import Permanent

_ROOM: Final = str(Path(__file__).parent / "_")[:-1]


@dataclass(frozen=True)
class Line:
    """A line of the author's own code."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


def calling_line() -> Line:
    """Return the nearest line that is not of this room."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_ROOM):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno)


class BadWorkflow(Permanent):
    """A workflow that cannot be written like this; ``line`` is where."""

    def __init__(self, what: str, line: Line | None = None) -> None:
        self.line = line or calling_line()
        super().__init__(f"{self.line}: {what}")


class UnknownReference(BadWorkflow):
    """An expression names a step that the workflow does not have, or not yet."""


class DuplicateReference(BadWorkflow):
    """Two steps have one reference name."""


class Misplaced(BadWorkflow):
    """A step outside a workflow, or a branch outside its fork."""


class DefinitionWarning(UserWarning):
    """A workflow that can be registered and will not work as it reads; points at the line of the step."""
