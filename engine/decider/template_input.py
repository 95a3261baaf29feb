"""The input of a run over the template that its definition has for it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.payload import Json


def with_template(given: Mapping[str, Json], template: Mapping[str, Json]) -> dict[str, Json]:
    """Return the input with the template's values for keys that are missing or null, at the top level only."""
    return {**template, **{key: value for key, value in given.items() if value is not None or key not in template}}
