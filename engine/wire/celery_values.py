"""Values as kombu's JSON writes them, turned into plain JSON that every store and client can hold."""

from __future__ import annotations

import base64
import math
import uuid

from engine.model.payload import Json

_TAG = frozenset({"__type__", "__value__"})


def plain(value: Json) -> Json:
    """Return ``value`` without what JSON does not know.

    Kombu's ``{"__type__", "__value__"}`` tags become text: ISO 8601 for dates and times, the usual spelling for
    UUIDs and decimals, base64 for bytes (always, so that a task's output does not change its form with its content).
    Tags of an unknown type stay as they are. NaN and infinite numbers become the words, as in Conductor's scripts;
    half surrogate pairs are written as escapes.
    """
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case list():
            return [plain(item) for item in value]
        case dict() if value.keys() == _TAG:
            return _untagged(value)
        case dict():
            return {storable_text(key): plain(item) for key, item in value.items()}
        case _:
            return value


def storable_text(text: str) -> str:
    """Return ``text`` with half surrogate pairs as escapes, so that it can be written as UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _untagged(tagged: Json) -> Json:
    kind, value = tagged["__type__"], tagged["__value__"]
    match kind, value:
        case "uuid", {"hex": str(digits)}:
            try:
                return str(uuid.UUID(digits))
            except ValueError:
                return digits
        case "bytes", str(text):
            return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
        case "base64", str(text):
            try:
                return base64.b64encode(base64.b64decode(text)).decode()
            except ValueError:
                return text
        case "datetime" | "date" | "time" | "decimal", str(text):
            return text
        case _:
            return {"__type__": kind, "__value__": plain(value)}
