"""Between values and what a column can hold: JSON text both ways, and text without what databases refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import msgspec

from engine.model.payload import Json

#: Stands where a character cannot be stored: U+FFFD, Unicode's own replacement character.
REPLACEMENT: Final = "\ufffd"

#: The largest number that a column can hold.
LARGEST: Final = 2**63 - 1


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
_decode = msgspec.json.Decoder().decode


def encode(value: Json) -> str:
    """Return ``value`` as JSON text; keys keep their order.

    Half characters (lone surrogates) are written as escapes, which every database keeps; NaN and Infinity as null.
    """
    try:
        return _encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        finite = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
        return json.dumps(finite, separators=(",", ":"))


def decode(text: str | bytes) -> Json:
    """Return the value of a JSON text that ``encode`` has written."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        # Only json reads the escapes of half characters.
        return json.loads(text)


def storable(text: str) -> str:
    """Return ``text`` as a text column can keep it: NUL and half characters become U+FFFD."""
    if text.isascii():
        return text.replace("\0", REPLACEMENT) if "\0" in text else text
    return text.replace("\0", REPLACEMENT).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
