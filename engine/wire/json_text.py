"""JSON that people write: what is wrong with it is told by line and column, with what was probably meant."""

from __future__ import annotations

import json
import re
from typing import Final

from engine.errors import BadMessage
from engine.model.payload import Json

#: What stands where JSON ends, and what to do about it.
_HINTS: Final = (
    (re.compile(r"//|/\*|#"), "JSON has no comments"),
    (re.compile(r"'"), 'texts and names stand in double quotes: "…"'),
    (re.compile("[\u201c\u201d\u201e\u2018\u2019]"), 'typographic quotes are none: write "…"'),
    (re.compile(r"[\n\r\t]"), r"inside a text a line break is written \n, a tab \t"),
    (re.compile(r"True|False|None"), "write true, false and null"),
    (re.compile(r"---|- |[\w-]+:\s"), "this looks like YAML; convert it to JSON"),
)


def parse_text(text: str, subject: str) -> Json:
    """Return ``text`` as JSON; raise ``BadMessage`` that says where in ``subject`` it stops being JSON.

    NaN and Infinity are no JSON, although Python reads them.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise BadMessage(f"{subject} is not JSON: {error.msg} in {where(text, error.pos)}.") from None
    except ValueError as error:
        raise BadMessage(f"{subject} is not JSON: {error}.") from None
    except RecursionError:
        raise BadMessage(f"{subject} is nested too deeply.") from None


def complaint(body: bytes) -> str | None:
    """Return where and why ``body`` is no JSON, None when Python can find nothing wrong with it."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "it is not text in UTF-8"
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return f"{error.msg} in {where(text, error.pos)}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return None


def where(text: str, position: int) -> str:
    """Return a position as people count, and what was probably meant there."""
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    if text[:position].rstrip().endswith(",") and text[position : position + 1] in ("]", "}"):
        return f"line {line}, column {column} (a comma stands behind the last element)"
    hint = next((hint for beginning, hint in _HINTS if beginning.match(text, position)), None)
    return f"line {line}, column {column}" + (f" ({hint})" if hint else "")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
