"""A mapping laid over another: reads fall through, writes stay on top until they are folded in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class _Gone:
    """Marks a key that was removed from the layer below."""


_GONE: Final = _Gone()


class Layer(Generic[K, V]):
    """Changes to a dictionary, kept apart from it.

    This is what lets a decision be thrown away: the run that was decided upon is untouched until its new rows are
    stored, and nothing the size of the run is ever copied.
    """

    __slots__ = ("_base", "_length", "_over")

    def __init__(self, base: dict[K, V]) -> None:
        self._base = base
        self._over: dict[K, V | _Gone] = {}
        self._length = len(base)

    def get(self, key: K) -> V | None:
        """Return the value, or None where there is none."""
        if key in self._over:
            value = self._over[key]
            return None if isinstance(value, _Gone) else value
        return self._base.get(key)

    def __getitem__(self, key: K) -> V:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        if key not in self:
            self._length += 1
        self._over[key] = value

    def __contains__(self, key: K) -> bool:
        if key in self._over:
            return self._over[key] is not _GONE
        return key in self._base

    def drop(self, key: K) -> None:
        """Remove the key if it is there."""
        if key not in self:
            return
        self._length -= 1
        if key in self._base:
            self._over[key] = _GONE
        else:
            del self._over[key]

    def __iter__(self) -> Iterator[K]:
        if not self._over:
            yield from list(self._base)
            return
        yield from [key for key in self._base if self._over.get(key) is not _GONE]
        yield from [key for key, value in self._over.items() if value is not _GONE and key not in self._base]

    def __len__(self) -> int:
        return self._length

    def fold(self) -> None:
        """Write the changes into the dictionary below."""
        for key, value in self._over.items():
            if isinstance(value, _Gone):
                del self._base[key]
            else:
                self._base[key] = value
        self._over = {}
