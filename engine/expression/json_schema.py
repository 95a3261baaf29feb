"""JSON Schema: says what is wrong with a value, within bounded time and without reaching for anything outside."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import islice
from typing import Final

import jsonschema_rs

from engine.model.payload import Json, JsonObject

#: Faults that are told of one value.
_MOST_FAULTS: Final = 10

#: Schemas that are kept ready.
_KEPT: Final = 256

#: Patterns of this kind cannot backtrack, so no value makes one of them run for ever.
_PATTERNS: Final = jsonschema_rs.RegexOptions()

#: Stands for the value in complaints, which are shown to more people than the value may be.
_VALUE: Final = "the value"


def schema_fault(schema: Json) -> str | None:
    """Return why this is no JSON Schema that can be used here, or None. References lead nowhere but into itself."""
    try:
        _validator(_text(schema))
    except (jsonschema_rs.ValidationError, ValueError, TypeError, RecursionError) as error:
        return str(getattr(error, "message", error)).splitlines()[0]
    return None


def mismatch(schema: JsonObject, value: Json) -> str | None:
    """Return what is wrong with a value, each fault with its path, or None when it is as the schema wants it.

    Raises ``ValueError`` when the schema is none; ``schema_fault`` tells before.
    """
    try:
        validator = _validator(_text(schema))
    except jsonschema_rs.ValidationError as error:
        raise ValueError(str(error.message).splitlines()[0]) from None
    faults = [
        f"{'.'.join(map(str, error.instance_path)) or 'the whole'}: {error.message}"
        for error in islice(validator.iter_errors(value), _MOST_FAULTS)
    ]
    return "; ".join(faults) or None


def _text(schema: Json) -> str:
    return json.dumps(schema, sort_keys=True)


@lru_cache(_KEPT)
def _validator(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        json.loads(schema), retriever=_nothing_outside, pattern_options=_PATTERNS, mask=_VALUE
    )


def _nothing_outside(address: str) -> Json:
    raise ValueError(f"{address} is not part of the schema: write it out under $defs")
