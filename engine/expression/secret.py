"""Secrets: ``${workflow.secrets.NAME}`` stays as written in stored data and is revealed to the worker alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
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


def reveal(value: Json, written: Json, secrets: Callable[[str], Json]) -> Json:
    """Return ``value`` with the secrets that its author named; everything else, other expressions too, stays as it is.

    ``written`` is what the definition has in the same place: only what it names there is revealed, so that data which
    looks like the name of a secret does not get it. ``secrets`` gives the value of a name, or ``None``. A path may
    follow the name when the secret is JSON. A secret that is not known becomes null where it is the whole text, and
    nothing inside a longer one (Conductor 2.6). The result must never be stored.
    """
    if isinstance(written, str):
        return _revealed_text(value, _named(written), secrets) if isinstance(value, str) else value
    if isinstance(written, Mapping) and isinstance(value, Mapping):
        found = {key: reveal(value[key], part, secrets) for key, part in written.items() if key in value}
        return {**value, **found} if found else value
    if isinstance(written, list | tuple) and isinstance(value, list | tuple):
        found_items = [reveal(item, part, secrets) for item, part in zip(value, written, strict=False)]
        return [*found_items, *value[len(found_items) :]]
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


def _named(written: str) -> frozenset[str]:
    """Return the expressions for secrets that a text of the definition has."""
    if f"${{{_PREFIX}" not in written:
        return frozenset()
    return frozenset(part.text for part in split(written) if isinstance(part, Expression) and is_secret(part.text))


def _revealed_text(text: str, named: Collection[str], secrets: Callable[[str], Json]) -> Json:
    if not named:
        return text
    parts = split(text)
    if len(parts) == 1 and isinstance(parts[0], Expression) and parts[0].text in named:
        return named_value(parts[0].text.removeprefix(_PREFIX), secrets)
    return "".join(_piece(part, named, secrets) for part in parts)


def _piece(part: Part, named: Collection[str], secrets: Callable[[str], Json]) -> str:
    if isinstance(part, str):
        return part
    if part.text not in named:
        return f"${{{part.text}}}"
    found = named_value(part.text.removeprefix(_PREFIX), secrets)
    return "" if found is None else embedded_text(found)
