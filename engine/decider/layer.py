"""A mapping laid over another: reads fall through, writes stay on top until they are folded in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import Struct

K = TypeVar("K")
V = TypeVar("V")


class Layer(Struct, Generic[K, V], eq=False, gc=False):
    """Changes to a dictionary, kept apart from it.

    This is what lets a decision be thrown away: the run that was decided upon is untouched until its new rows are
    stored, and nothing the size of the run is ever copied. Every step of a run reads and writes dozens of times
    through layers, so these do without further calls, and each decision makes a dozen of them, so they are records.
    """

    _base: dict[K, V]
    _over: dict[K, V] = {}
    #: Keys that were removed from the dictionary below; one that has come back stands in ``_over`` as well.
    _gone: dict[K, None] = {}

    def get(self, key: K) -> V | None:
        """Return the value, or None where there is none."""
        if key in self._over:
            return self._over[key]
        if key in self._base and key not in self._gone:
            return self._base[key]
        return None

    def __getitem__(self, key: K) -> V:
        if key in self._over:
            return self._over[key]
        if key in self._gone:
            raise KeyError(key)
        return self._base[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._over[key] = value

    def __contains__(self, key: K) -> bool:
        return key in self._over or (key in self._base and key not in self._gone)

    def drop(self, key: K) -> None:
        """Remove the key if it is there."""
        self._over.pop(key, None)
        if key in self._base:
            self._gone[key] = None

    def __iter__(self) -> Iterator[K]:
        over, gone, base = self._over, self._gone, self._base
        yield from [key for key in base if key not in gone or key in over]
        yield from [key for key in over if key not in base]

    def __len__(self) -> int:
        """Return how many keys there are; counts the changes."""
        new = sum(key not in self._base for key in self._over)
        return len(self._base) + new - sum(key not in self._over for key in self._gone)

    def fold(self) -> None:
        """Write the changes into the dictionary below."""
        if self._gone:
            for key in self._gone:
                if key not in self._over:
                    self._base.pop(key, None)
        if self._over:
            self._base.update(self._over)


class CountedLayer(Layer[K, V], eq=False, gc=False):
    """A layer that knows how many keys there are without counting: for what is asked at every rest of a run."""

    #: How many more keys there are than in the dictionary below.
    _more: int = 0

    def __setitem__(self, key: K, value: V) -> None:
        if key not in self:
            self._more += 1
        self._over[key] = value

    def drop(self, key: K) -> None:
        """Remove the key if it is there."""
        if key in self:
            self._more -= 1
            super().drop(key)

    def __len__(self) -> int:
        return len(self._base) + self._more
