"""How large the outputs of open containers are: a loop's grows with every iteration, so only what is new is weighed."""

from __future__ import annotations

from collections.abc import Iterable

from engine.expression.budget import weigh
from engine.model.payload import JsonObject


class Weights:
    """Remembers, for each task, what was weighed last; it knows nothing that the output itself does not say."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[JsonObject, int]] = {}

    def weigh(self, seq: int, output: JsonObject, limit: int) -> int:
        """Return how many characters a task's output has as JSON; beyond ``limit`` just some number above it."""
        before, weight = self._known.get(seq, ({}, weigh({}, limit)))
        # Values are frozen, so the very same one weighs what it weighed.
        new = [key for key, value in output.items() if key not in before or before[key] is not value]
        gone = [key for key in new if key in before]
        if len(before) - len(gone) + len(new) > len(output):
            gone += before.keys() - output.keys()
        weight += _weigh(output, new, limit) - _weigh(before, gone, limit)
        self._known[seq] = output, weight
        return weight

    def clear(self) -> None:
        """Forget it all: no container is open any more."""
        self._known.clear()


def _weigh(output: JsonObject, keys: Iterable[str], limit: int) -> int:
    """Return what these entries add to the output."""
    return sum(weigh({key: output[key]}, limit) - weigh({}, limit) for key in keys)
