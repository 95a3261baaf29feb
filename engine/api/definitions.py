"""Registers definitions: straight into the store, because they are no run's state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from engine.api.warned import described
from engine.clock import Instant, milliseconds
from engine.decider.named_schema import FindSchemas
from engine.decider.validate import validate_workflow
from engine.errors import BadDefinition, BadMessage, Fault, NotFound, Refused
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.payload import Json
from engine.model.schema_def import SchemaDef, SchemaKey
from engine.store.port import Store


class Stored(Struct, frozen=True):
    """What became of several definitions: the names of the good ones, the mistakes of each bad one, and the doubts."""

    good: list[str]
    bad: dict[str, str]
    doubts: list[Json]


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


def checked_workflow(store: Store, document: Json, *, strict: bool) -> tuple[WorkflowDef, Sequence[Fault]]:
    """Return a definition and what is doubtful in it; raise ``BadDefinition`` listing every mistake."""

    def known(names: Collection[str]) -> Mapping[str, TaskDef]:
        with store.transaction() as tx:
            return tx.task_defs(names)

    return validate_workflow(document, known, known_schemas(store), missing=True, strict=strict)


def put_workflows(store: Store, documents: Iterable[Json], now: Instant, *, strict: bool) -> Stored:
    """Create or replace definitions; good ones are stored, and each bad one is reported."""
    good: list[str] = []
    bad: dict[str, str] = {}
    doubts: list[Json] = []
    for number, each in enumerate(documents):
        name = str(each.get("name") or f"[{number}]") if isinstance(each, dict) else f"[{number}]"
        try:
            definition, warnings = checked_workflow(store, each, strict=strict)
            register(store, definition, now, overwrite=True)
            good.append(name)
            doubts += described(warnings, name=name)
        except BadDefinition as error:
            bad[name] = str(error)
    return Stored(good, bad, doubts)


def find_workflow(store: Store, name: str, version: int | None) -> WorkflowDef:
    """Return a definition, without a version the latest; raise ``NotFound`` when there is none."""
    with store.transaction() as tx:
        found = tx.workflow_def(name, version)
    if found is None:
        raise unknown_workflow(name, version)
    return found


def unknown_workflow(name: str, version: int | None) -> NotFound:
    """Return what is said of a definition that nobody has registered."""
    which = f"version {version}" if version is not None else "any version"
    return NotFound(f"No workflow {name!r} is registered in {which}: 'baton definition list' shows those there are.")


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
