"""How much is measured, on what, and where progress is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.stack import Stack


class Skipped(Exception):
    """A scenario cannot be measured here; the text says what it lacks."""


@dataclass(frozen=True)
class Scope:
    """What every scenario is given."""

    stack: Stack
    #: Measurements of each side; figures are their medians.
    rounds: int
    #: A quick look: smaller sizes, which say whether a scenario works, and little about its figure.
    is_quick: bool
    tell: Callable[[str], None]

    def at_most(self, full: int, *, quick: int) -> int:
        """Return the size for this scope."""
        return quick if self.is_quick else full
