"""Registers definitions: straight into the store, because they are no run's state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from engine.clock import Instant, milliseconds
from engine.decider.named_schema import FindSchemas
from engine.errors import BadDefinition, BadMessage, Fault, Refused
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.payload import Json
from engine.model.schema_def import SchemaDef, SchemaKey
from engine.store.port import Store

#: Definitions in one request; each is checked and stored while the caller waits.
_MOST_DEFINITIONS = 1_000


def listed(value: Json) -> list[Json]:
    """Return the definitions of a body that must be a list of them; raise ``BadMessage`` when it is none."""
    if not isinstance(value, list):
        raise BadMessage("The body must be a list of definitions: [{…}].")
    if len(value) > _MOST_DEFINITIONS:
        raise BadMessage(f"The list has {len(value):,} definitions: send at most {_MOST_DEFINITIONS:,} at a time.")
    return value


def known_schemas(store: Store) -> FindSchemas:
    """Return the function that finds registered schemas for whoever checks a definition."""

    def known(keys: Collection[SchemaKey]) -> Mapping[SchemaKey, SchemaDef]:
        with store.transaction() as tx:
            return tx.schemas(keys)

    return known


def register(store: Store, definition: WorkflowDef, now: Instant, *, overwrite: bool) -> None:
    """Store a checked workflow definition; raise ``Refused`` when that version exists and may not be replaced."""
    subject = f"Workflow definition {definition.name!r}"
    _check_name(subject, definition.name)
    if not -(2**31) <= definition.version < 2**31:
        raise BadDefinition(subject, [Fault("version", f"{definition.version} has more than 32 bits")])
    with store.transaction() as tx:
        present = tx.workflow_def(definition.name, definition.version)
        if present is None:
            times = {"create_time": definition.create_time or milliseconds(now)}
        else:
            times = {"create_time": present.create_time, "update_time": milliseconds(now)}
        stored = tx.register_workflow(definition.model_copy(update=times), overwrite=overwrite)
    if not stored:
        raise Refused(
            f"Workflow {definition.name!r} version {definition.version} exists already: raise the version, "
            "or replace it with overwrite=true."
        )


def register_tasks(store: Store, definitions: Sequence[TaskDef], now: Instant) -> None:
    """Store checked task definitions, replacing those of the same name."""
    for each in definitions:
        _check_name(f"Task definition {each.name!r}", each.name)
    moment = milliseconds(now)
    with store.transaction() as tx:
        present = tx.task_defs([definition.name for definition in definitions])
        tx.register_tasks(
            [
                each.model_copy(update={"create_time": present[each.name].create_time, "update_time": moment})
                if each.name in present
                else each.model_copy(update={"create_time": each.create_time or moment})
                for each in definitions
            ]
        )


def _check_name(subject: str, name: str) -> None:
    if "\0" in name:
        raise BadDefinition(
            subject, [Fault("name", "contains the character NUL, which databases cannot keep in names")]
        )
