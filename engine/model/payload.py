"""What people's data may be: JSON, under one alias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

#: Any JSON value. The only place where ``Any`` is allowed in the pure rooms: the engine carries people's data
#: without looking into it.
Json: TypeAlias = Any

#: A JSON object, read only.
JsonObject: TypeAlias = Mapping[str, Json]
