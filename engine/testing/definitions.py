"""Definitions as tests have them: JSON, or what ``engine.dsl`` makes, which brings along what it uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from engine.dsl import Task, Workflow
from engine.model.payload import Json

Definition: TypeAlias = Mapping[str, Json] | Workflow | Task


def document_of(definition: Definition) -> Mapping[str, Json]:
    """Return a definition as JSON."""
    return definition if isinstance(definition, Mapping) else definition.to_json()


def with_used(definitions: Iterable[Definition]) -> Iterator[Definition]:
    """Yield the definitions, each behind the tasks and workflows that it uses and that are defined in Python too."""
    for each in definitions:
        if isinstance(each, Workflow):
            yield from (used for used in each.uses if isinstance(used, Workflow) or used.is_defined)
        yield each
