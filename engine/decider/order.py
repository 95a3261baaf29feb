"""Where the steps of a definition stand to each other: which have run, may be running, or never run before another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import TypeAlias

from engine.model.definition import WorkflowTask

#: From the top down: the name of each list, and the step's number in it.
_Trail: TypeAlias = tuple[tuple[str, int], ...]

_BRANCH = "forkTasks"
_BODY = "loopOver"


class Standing(Enum):
    """Where one step stands, seen from another."""

    BEFORE = auto()
    BEHIND = auto()
    #: In another branch of a fork that both are in.
    BESIDE = auto()
    #: In another case of a choice that both are in: never in the same pass.
    ELSEWHERE = auto()
    #: It contains the other one.
    AROUND = auto()
    INSIDE = auto()
    ITSELF = auto()


class Order:
    """The order of a definition's steps; a reference that is used twice counts where it stands first."""

    def __init__(self, steps: Sequence[WorkflowTask]) -> None:
        self._trails: dict[str, _Trail] = {}
        for trail, step in _trails(steps, "tasks", ()):
            self._trails.setdefault(step.task_reference_name, trail)

    def __contains__(self, ref: object) -> bool:
        return ref in self._trails

    @property
    def refs(self) -> Sequence[str]:
        """Every reference name, in the order of the definition."""
        return list(self._trails)

    def standing(self, ref: str, seen_from: str) -> Standing:
        """Return where ``ref`` stands, seen from another reference; both must be known."""
        theirs, mine = self._trails[ref], self._trails[seen_from]
        for (their_list, their_number), (my_list, my_number) in zip(theirs, mine, strict=False):
            if their_list != my_list:
                both = their_list.startswith(_BRANCH) and my_list.startswith(_BRANCH)
                return Standing.BESIDE if both else Standing.ELSEWHERE
            if their_number != my_number:
                return Standing.BEFORE if their_number < my_number else Standing.BEHIND
        if len(theirs) == len(mine):
            return Standing.ITSELF
        return Standing.AROUND if len(theirs) < len(mine) else Standing.INSIDE

    def in_one_loop(self, ref: str, other: str) -> bool:
        """True where both are in the body of one loop: from its second time on, each has run before the other."""
        for (one, number), (two, second) in zip(self._trails[ref], self._trails[other], strict=False):
            if one == two == _BODY:
                return True
            if (one, number) != (two, second):
                return False
        return False


def _trails(steps: Sequence[WorkflowTask], name: str, above: _Trail) -> Iterator[tuple[_Trail, WorkflowTask]]:
    for number, step in enumerate(steps):
        here = (*above, (name, number))
        yield here, step
        for inner, nested in step.lists():
            yield from _trails(nested, inner, here)
