"""Rows on their way, a slice at a time: what each takes for a moment is several times what is kept of it.

All at once, a run of a hundred thousand tasks would leave a process with holes in its memory and drivers with buffers
that are as large as the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

#: Rows of a slice.
SLICE: Final = 1_000


def sliced(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield the rows a slice at a time."""
    for first in range(0, len(rows), SLICE):
        yield rows[first : first + SLICE]


def fetched(cursor: Any) -> Iterator[Sequence[Any]]:
    """Yield what a driver's cursor has found a slice at a time; nothing where there is no cursor, as nothing was."""
    while cursor is not None and (rows := cursor.fetchmany(SLICE)):
        yield rows
        if len(rows) < SLICE:
            return
