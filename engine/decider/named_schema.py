"""Schemas that definitions only name: written out when a run starts, and what of them nothing will be held to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeAlias, TypeVar

from engine.errors import Fault
from engine.model.definition import TaskDef, WorkflowDef, walk
from engine.model.payload import Json
from engine.model.schema_def import SchemaDef, SchemaKey, SchemaKind, key_of

#: Finds the registered schemas among these.
FindSchemas: TypeAlias = Callable[[Collection[SchemaKey]], Mapping[SchemaKey, SchemaDef]]

_D = TypeVar("_D", WorkflowDef, TaskDef)


def written_out(definition: _D, registered: Mapping[SchemaKey, SchemaDef]) -> _D:
    """Return the definition with what it demands in itself; a schema that nobody has registered stays a name.

    Those of the task definitions in a workflow are theirs.
    """
    update: dict[str, Json] = {}
    for field, schema in (("input_schema", definition.input_schema), ("output_schema", definition.output_schema)):
        key = key_of(schema)
        found = None if key is None else registered.get(key)
        if found is not None:
            update[field] = {
                "name": found.name,
                "version": found.version,
                "type": found.type.value,
                "data": found.data or {},
            }
    return definition.model_copy(update=update) if update else definition


def missing_schemas(definition: WorkflowDef) -> Iterator[SchemaKey]:
    """Yield what a snapshot is to be held to and still only names."""
    for _, schema in _demanded(definition):
        key = key_of(schema)
        if key is not None:
            yield key


def schema_warnings(definition: WorkflowDef | TaskDef, find: FindSchemas | None) -> Iterator[Fault]:
    """Yield where a definition demands something by a schema that nothing will be held to.

    Without ``find`` it is not known what is registered.
    """
    demanded = list(_demanded(definition))
    keys = {key for _, schema in demanded if (key := key_of(schema)) is not None}
    found = find(keys) if find is not None and keys else {}
    for path, schema in demanded:
        key = key_of(schema)
        if key is None:
            yield from _unchecked(path, _kind(schema))
        elif key in found:
            yield from _unchecked(path, found[key].type.value)
        elif find is not None:
            name, version = key
            yield Fault(path, f"no schema {name!r} is registered in version {version}: nothing is checked until one is")


def _unchecked(path: str, kind: str | None) -> Iterator[Fault]:
    if kind is None:
        yield Fault(path, "has neither a JSON Schema in data nor the name of a registered one: nothing is checked")
    elif kind != SchemaKind.JSON:
        yield Fault(path, f"is written in {kind}: it is kept, but only JSON Schemas are checked")


def _kind(schema: Json) -> str | None:
    """Return what a schema that is more than a name is written in, None where there is nothing to check by."""
    if not isinstance(schema, Mapping) or not schema.get("data"):
        return None
    return str(schema.get("type") or SchemaKind.JSON.value)


def _demanded(definition: WorkflowDef | TaskDef) -> Iterator[tuple[str, Json]]:
    """Yield each schema that is to be enforced, with its path."""
    for path, each in _definitions(definition):
        if each.enforce_schema:
            schemas = (("inputSchema", each.input_schema), ("outputSchema", each.output_schema))
            yield from ((f"{path}{field}", schema) for field, schema in schemas if schema is not None)


def _definitions(definition: WorkflowDef | TaskDef) -> Iterator[tuple[str, WorkflowDef | TaskDef]]:
    yield "", definition
    if isinstance(definition, WorkflowDef):
        for path, step in walk(definition.tasks):
            if step.task_definition is not None:
                yield f"{path}.taskDefinition.", step.task_definition
