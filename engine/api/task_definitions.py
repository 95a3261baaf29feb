"""Task definitions as they are kept: straight in the store, because they are no run's state."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.definitions import known_schemas, register_tasks
from engine.api.warned import described
from engine.clock import Instant
from engine.decider.validate import validate_task
from engine.errors import BadMessage, NotFound
from engine.model.definition import TaskDef
from engine.model.payload import Json
from engine.store.port import Store


def checked_tasks(store: Store, documents: Sequence[Json], *, strict: bool) -> tuple[list[TaskDef], list[Json]]:
    """Return definitions and what is doubtful in them; raise ``BadDefinition`` for the first that is wrong."""
    if not documents:
        raise BadMessage("The list of task definitions is empty.")
    schemas = known_schemas(store)
    found = [validate_task(each, schemas, strict=strict) for each in documents]
    doubts = [doubt for each, warnings in found for doubt in described(warnings, name=each.name)]
    return [definition for definition, _ in found], doubts


def replace_tasks(store: Store, definitions: Sequence[TaskDef], now: Instant) -> None:
    """Replace definitions that are there; raise ``NotFound`` for an unknown one, and then nothing is stored."""
    names = [each.name for each in definitions]
    with store.transaction() as tx:
        known = tx.task_defs(names)
    for name in names:
        if name not in known:
            raise _unknown(name)
    register_tasks(store, definitions, now)


def forget_task(store: Store, name: str) -> None:
    """Forget a definition; raise ``NotFound`` when there is none of this name."""
    with store.transaction() as tx:
        known = tx.unregister_task(name)
    if not known:
        raise _unknown(name)


def task_definition_json(store: Store, name: str) -> dict[str, Json]:
    """Return a definition as Conductor shows it; raise ``NotFound`` when there is none of this name."""
    with store.transaction() as tx:
        found = tx.task_defs([name]).get(name)
    if found is None:
        raise _unknown(name)
    return shown(found)


def shown(definition: TaskDef) -> dict[str, Json]:
    """Return a definition as Conductor shows it: a rate that is not limited has numbers all the same."""
    starts, seconds = definition.rate_limit_per_frequency, definition.rate_limit_frequency_in_seconds
    rate = {"rateLimitPerFrequency": starts or 0, "rateLimitFrequencyInSeconds": 1 if seconds is None else seconds}
    return {**definition.to_json(), **rate}


def _unknown(name: str) -> NotFound:
    return NotFound(f"No task definition {name!r} is registered: 'baton definition list' shows those there are.")
