"""Secrets: ``${workflow.secrets.NAME}`` stays as written in stored data and is revealed to the worker alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from engine.errors import BadExpression
from engine.expression.budget import Budget
from engine.expression.java_text import embedded_text
from engine.expression.jsonpath import compile_path, named_root
from engine.expression.template_syntax import Expression, Part, split
from engine.model.payload import Json

_PREFIX: Final = "workflow.secrets."


def is_secret(text: str) -> bool:
    """Return whether ``text``, found between braces, names a secret."""
    return text.startswith(_PREFIX)


def reveal(value: Json, secrets: Callable[[str], Json]) -> Json:
    """Return ``value`` with the secrets it names; everything else, other expressions included, stays as it is.

    ``secrets`` gives the value of a name, or ``None``. A path may follow the name when the secret is JSON. A secret
    that is not known becomes null where it is the whole text, and nothing inside a longer one (Conductor 2.6). The
    result must never be stored.
    """
    if isinstance(value, str):
        return _revealed_text(value, secrets)
    if isinstance(value, Mapping):
        return {key: reveal(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(item, secrets) for item in value]
    return value


def named_value(text: str, values: Callable[[str], Json], budget: Budget | None = None) -> Json:
    """Return what ``NAME`` or ``NAME.path`` finds: the value of that name, or a part of it when it holds JSON."""
    try:
        path = compile_path(text)
    except BadExpression:
        return None
    name = named_root(path)
    value = None if name is None else values(name)
    if len(path.segments) == 1 or value is None:
        return value
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return path.find({name: value}, budget)


def _revealed_text(text: str, secrets: Callable[[str], Json]) -> Json:
    if f"${{{_PREFIX}" not in text:
        return text
    parts = split(text)
    if len(parts) == 1 and isinstance(parts[0], Expression) and is_secret(parts[0].text):
        return named_value(parts[0].text.removeprefix(_PREFIX), secrets)
    return "".join(_piece(part, secrets) for part in parts)


def _piece(part: Part, secrets: Callable[[str], Json]) -> str:
    if isinstance(part, str):
        return part
    if not is_secret(part.text):
        return f"${{{part.text}}}"
    found = named_value(part.text.removeprefix(_PREFIX), secrets)
    return "" if found is None else embedded_text(found)
