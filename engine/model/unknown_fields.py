"""What somebody has written into a definition that no field reads: mistyped names, and fields of other versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from engine.model.payload import Json


def unknown_fields(kind: type[BaseModel], document: Json, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield the JSON path of each field that is ignored, with the nearest field that exists, if one is near.

    One that says nothing is left out: what other versions and editors export is full of them.
    """
    if not isinstance(document, Mapping):
        return
    known = {field.alias or name: field for name, field in kind.model_fields.items()}
    for key, value in document.items():
        here = f"{path}.{key}" if path else str(key)
        if key in known:
            yield from _below(known[key].annotation, value, here)
        elif key not in kind.model_fields and value not in (None, "", [], {}):
            near = get_close_matches(str(key)[:100], known, n=1)
            yield here, near[0] if near else None


def _below(annotation: Any, value: Json, path: str) -> Iterator[tuple[str, str | None]]:
    """Go down to whatever of the value is an object with fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from unknown_fields(annotation, value, path)
        return
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _below(inner[0], item, f"{path}[{number}]")
    elif origin is dict and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _below(inner[1], item, f"{path}.{key}")
    elif origin not in (tuple, dict, Annotated):
        for part in inner:
            yield from _below(part, value, path)
