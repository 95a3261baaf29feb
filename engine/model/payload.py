"""What people's data may be: JSON, under one alias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

#: Any JSON value. The only place where ``Any`` is allowed in the pure rooms: the engine carries people's data
#: without looking into it.
Json: TypeAlias = Any

#: A JSON object, read only.
JsonObject: TypeAlias = Mapping[str, Json]

#: Nothing yet: one and the same object for the outputs of all tasks that are open.
NOTHING: Final[JsonObject] = {}


class StoredOutside(dict[str, Json]):
    """An object that is kept outside of its row: what it holds, if it was fetched, and where it lies.

    ``path`` is within the payload storage, ``size`` in bytes. Whoever changes the object makes another one, which has
    no place yet.
    """

    __slots__ = ("path", "size")

    def __init__(self, path: str, size: int, content: JsonObject | None = None) -> None:
        super().__init__(content or {})
        self.path = path
        self.size = size
