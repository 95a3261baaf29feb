"""Reads typed fields out of JSON written by strangers, and collects what is wrong with them.

Lenient the way Conductor is (reference 1.0): unknown fields are ignored, ``null`` is an absent field, numbers may come
as strings and names as numbers.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection, Mapping

import msgspec

from engine.errors import BadMessage
from engine.model.payload import Json, JsonObject
from engine.wire.json_text import complaint

#: Bytes of one message; more than this belongs into a file store, with its address in the message. RabbitMQ 4 refuses
#: larger ones by default.
MESSAGE_LIMIT = 16 * 1024 * 1024

#: Characters of a name, an id or a reason; longer ones do not fit into database indexes.
TEXT_LIMIT = 512


#: Bytes of a text that is read once more to say by line and column what is wrong with it.
_MOST_EXPLAINED = 1024 * 1024


def read_json(body: bytes, subject: str, limit: int | None = MESSAGE_LIMIT) -> Json:
    """Return the JSON in ``body``; raise ``BadMessage`` when it is too large (``limit`` None: never) or not JSON.

    NaN, Infinity and lone surrogates are not JSON: databases and other languages refuse them. A byte order mark before
    it is left out, as Conductor's reader does.
    """
    if limit is not None and len(body) > limit:
        raise BadMessage(
            f"{subject} has {len(body):,} bytes, the limit is {limit:,}: "
            "put large data into a file or database and send its address"
        )
    if not body.strip():
        raise BadMessage(f"{subject} is empty: a JSON object is expected")
    try:
        return msgspec.json.decode(body.removeprefix(BOM_UTF8))
    except RecursionError:
        raise BadMessage(f"{subject} is nested too deeply: flatten it") from None
    except (msgspec.MsgspecError, ValueError) as error:
        told = complaint(body) if len(body) <= _MOST_EXPLAINED else None
        raise BadMessage(f"{subject} is not JSON: {told or error}") from None


def read_object(body: bytes, subject: str, limit: int | None = MESSAGE_LIMIT) -> JsonObject:
    """Return the JSON object in ``body``; raise ``BadMessage`` when it is anything else."""
    value = read_json(body, subject, limit)
    if not isinstance(value, dict):
        raise BadMessage(f"{subject} must be a JSON object, not {kind_of(value)}")
    return value


def write_json(value: Json) -> bytes:
    """Return ``value`` as JSON bytes; raise ``BadMessage`` when it cannot be written as JSON."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadMessage(f"a value cannot be written as JSON: {error}") from None


def kind_of(value: Json) -> str:
    """Return what a JSON value is, in words."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"[:60]
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 40 else "a text"
    return {type(None): "null", dict: "an object", list: "a list"}.get(type(value), type(value).__name__)


class Fields:
    """A JSON object being read; ``finish`` raises one ``BadMessage`` that names every wrong field."""

    def __init__(self, document: Json, subject: str) -> None:
        self._subject = subject
        self._faults: list[str] = []
        if not isinstance(document, Mapping):
            raise BadMessage(f"{subject} must be a JSON object, not {kind_of(document)}")
        self._document = document

    def fault(self, name: str, what: str) -> None:
        """Note that a field is wrong; ``what`` continues a sentence that begins with the field's name."""
        self._faults.append(f"{name} {what}")

    def finish(self) -> None:
        """Raise ``BadMessage`` if any field read so far was wrong."""
        if self._faults:
            raise BadMessage(f"{self._subject}: " + "; ".join(self._faults))

    def raw(self, name: str) -> Json:
        """Return a field as it stands, or None."""
        return self._document.get(name)

    def text(self, name: str, *, limit: int = TEXT_LIMIT) -> str | None:
        """Return a text; numbers and booleans count as texts."""
        value = self._document.get(name)
        if value is None:
            return None
        if isinstance(value, bool | int | float):
            return str(value).lower()
        if not isinstance(value, str):
            self.fault(name, f"must be a text, not {kind_of(value)}")
        elif len(value) > limit:
            self.fault(name, f"has {len(value):,} characters, the limit is {limit}")
        elif "\0" in value:
            self.fault(name, "contains the character NUL, which databases cannot keep in names")
        else:
            return value
        return None

    def needed(self, name: str) -> str:
        """Return a text that must be there and not be blank."""
        value = self.text(name)
        if (value is None or not value.strip()) and not any(fault.startswith(f"{name} ") for fault in self._faults):
            self.fault(name, "is missing")
        return value or ""

    def integer(self, name: str, low: int = -(2**31), high: int = 2**31 - 1) -> int | None:
        """Return a whole number within its bounds; a text of digits counts as a number."""
        value = self._document.get(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None or not low <= number <= high:
            span = f" from {low} to {high}" if (low, high) != (-(2**31), 2**31 - 1) else ""
            self.fault(name, f"must be a whole number{span}, not {kind_of(value)}")
            return None
        return number

    def flag(self, name: str) -> bool:
        """Return a boolean, false when absent."""
        value = self._document.get(name)
        if value in (None, "", "false", "False"):
            return False
        if value in ("true", "True"):
            return True
        if not isinstance(value, bool):
            self.fault(name, f"must be true or false, not {kind_of(value)}")
        return bool(value)

    def mapping(self, name: str, *, null: bool = True) -> JsonObject:
        """Return an object, empty when absent; ``null=False`` refuses an explicit null."""
        value = self._document.get(name)
        if isinstance(value, Mapping):
            return value
        if value is not None or (not null and name in self._document):
            self.fault(name, f"must be an object, not {kind_of(value)}")
        return {}

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        """Return a text that must be one of a few words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self.fault(name, f"must be one of {', '.join(allowed)}, not {kind_of(value)}")
            return None
        return value


def _whole(value: Json) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        digits = value.strip()
        unsigned = digits[1:] if digits.startswith("-") else digits
        return int(digits) if unsigned.isascii() and unsigned.isdigit() and len(unsigned) < 20 else None
    return None
