"""What a loop has gathered: a part for each iteration, which the row of an open loop leaves to the iterations' own."""

from __future__ import annotations

from collections.abc import Iterable

from engine.expression.budget import weigh
from engine.model.payload import Json, JsonObject


class Gathered(dict[str, Json]):
    """An output with numbered parts; ``rest`` is what stands beside them, and all that an open task's row holds.

    With the parts in its row, every iteration would write again what all before it have brought.
    """

    __slots__ = ("_weight_of_parts", "rest")

    def __init__(self, whole: JsonObject, rest: JsonObject) -> None:
        super().__init__(whole)
        self.rest = rest
        #: None where the parts have not been weighed.
        self._weight_of_parts: int | None = None

    def weight(self, limit: int) -> int:
        """Return what ``weight_of`` does, from what is known of the parts."""
        if self._weight_of_parts is None:
            self._weight_of_parts = _added(self, (key for key in self if key not in self.rest), limit)
        return weigh(self.rest, limit) + self._weight_of_parts

    def with_part(self, number: int, part: JsonObject, keep: int, limit: int) -> Gathered:
        """Return it with one more part; where only the last ``keep`` are wanted, without the one that is too much."""
        self.weight(limit)
        grown, new = Gathered(self, self.rest), str(number)
        gone = [key for key in {new, str(number - keep)} if key in self]
        for key in gone:
            del grown[key]
        grown[new] = part
        grown._weight_of_parts = (self._weight_of_parts or 0) + _added(grown, (new,), limit) - _added(self, gone, limit)
        return grown

    def put(self, rest: JsonObject) -> Gathered:
        """Put this beside the parts in the place of what was there; for whoever is still making it."""
        for key in self.rest.keys() - rest.keys():
            del self[key]
        self.update(rest)
        self.rest = rest
        return self


def weight_of(output: JsonObject, limit: int) -> int:
    """Return how many characters an output has as JSON; beyond ``limit`` just some number above it."""
    return output.weight(limit) if isinstance(output, Gathered) else weigh(output, limit)


def _added(output: JsonObject, keys: Iterable[str], limit: int) -> int:
    """Return how many characters these entries add to an output."""
    return sum(weigh({key: output[key]}, limit) - weigh({}, limit) for key in keys)
