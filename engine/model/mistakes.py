"""What is wrong with the shape of a value, in words for whoever wrote it, and what may stand in for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.model.payload import Json

_LIST: Final = "a list: […]"
_OBJECT: Final = "an object: {…}"
_TEXT: Final = "a text"
_WHOLE: Final = "a whole number"

#: What Pydantic expected, by the kind of its complaint.
_EXPECTED: Final[Mapping[str, str]] = {
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}

_KINDS: Final = {"dict": "an object", "list": "a list", "NoneType": "null", "bool": "true or false"}


def sentence(problem: Mapping[str, Any]) -> str:
    """Return what one of Pydantic's problems is about: what must stand there, and what does."""
    kind, value = problem["type"], problem.get("input")
    expected, context = _EXPECTED.get(kind), problem.get("ctx") or {}
    if kind == "enum":
        expected = f"one of {context['expected']}"
    elif kind == "greater_than_equal":
        expected = f"at least {context['ge']:,}"
    elif kind == "less_than_equal":
        expected = f"at most {context['le']:,}"
    if expected is None:
        return f"{problem['msg']} (found {_shown(value)})"
    return f"must be {expected}; found {_shown(value)}"


def stand_in(problem: Mapping[str, Any], faulty: Json) -> Json:
    """Return what stands in a list for an element that is wrong, so that the rest can be looked at."""
    found: Json = {"tuple_type": [], "list_type": [], "string_type": ""}.get(problem["type"], {})
    return found if faulty != found else {"name": ""}


def kind_of(value: Json) -> str:
    """Return what a value is that stands in the place of an object."""
    names = {**_KINDS, "str": "a text", "int": "a number", "float": "a number"}
    return names.get(type(value).__name__, type(value).__name__)


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    shown = _KINDS.get(type(value).__name__) or repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
