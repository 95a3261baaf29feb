"""The calls of MetadataService and EventService: definitions of workflows and tasks, and event handlers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.api import event_handlers, task_definitions
from engine.api.definitions import checked_workflow, find_workflow, listed, put_workflows, register, register_tasks
from engine.api.grpc.call import Call, many, one
from engine.clock import Clock
from engine.errors import BadMessage
from engine.model.event_handler import EventHandler
from engine.model.payload import JsonObject
from engine.store.port import Store

#: What an action of an event handler may be called in a message; handlers with others are kept from these clients,
#: who would put back half of what they got.
_ACTIONS = frozenset({"start_workflow", "complete_task", "fail_task"})


class Definitions:
    """Answers as the routes under /api/metadata do; all of it blocks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def calls(self) -> Mapping[str, Call]:
        """Return the calls by the names of their methods."""
        return {
            "CreateWorkflow": one(self._create),
            "ValidateWorkflow": one(self._validate),
            "UpdateWorkflows": one(self._put),
            "GetWorkflow": one(self._show),
            "CreateTasks": one(self._create_tasks),
            "UpdateTask": one(self._replace_task),
            "GetTask": one(self._show_task),
            "DeleteTask": one(self._forget_task),
        }

    def _create(self, asked: JsonObject) -> JsonObject:
        definition, _ = checked_workflow(self._store, asked.get("workflow", {}), strict=False)
        register(self._store, definition, self._clock.now(), overwrite=False)
        return {}

    def _validate(self, asked: JsonObject) -> JsonObject:
        checked_workflow(self._store, asked.get("workflow", {}), strict=False)
        return {}

    def _put(self, asked: JsonObject) -> JsonObject:
        stored = put_workflows(self._store, listed(asked.get("defs", [])), self._clock.now(), strict=False)
        if stored.bad:
            kept = f"Stored: {', '.join(stored.good)}." if stored.good else "Nothing is stored."
            raise BadMessage("\n".join((*stored.bad.values(), kept)))
        return {}

    def _show(self, asked: JsonObject) -> JsonObject:
        return {"workflow": find_workflow(self._store, asked.get("name", ""), asked.get("version")).to_json()}

    def _create_tasks(self, asked: JsonObject) -> JsonObject:
        found, _ = task_definitions.checked_tasks(self._store, listed(asked.get("defs", [])), strict=False)
        register_tasks(self._store, found, self._clock.now())
        return {}

    def _replace_task(self, asked: JsonObject) -> JsonObject:
        found, _ = task_definitions.checked_tasks(self._store, [asked.get("task", {})], strict=False)
        task_definitions.replace_tasks(self._store, found, self._clock.now())
        return {}

    def _show_task(self, asked: JsonObject) -> JsonObject:
        return {"task": task_definitions.task_definition_json(self._store, asked.get("taskType", ""))}

    def _forget_task(self, asked: JsonObject) -> JsonObject:
        task_definitions.forget_task(self._store, asked.get("taskType", ""))
        return {}


class Handlers:
    """Answers as the routes under /api/event do; all of it blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def calls(self) -> Mapping[str, Call]:
        """Return the calls by the names of their methods."""
        return {
            "AddEventHandler": one(self._add),
            "UpdateEventHandler": one(self._replace),
            "RemoveEventHandler": one(self._forget),
            "GetEventHandlers": many(lambda _: _sayable(event_handlers.every_handler(self._store))),
            "GetEventHandlersForEvent": many(self._of_event),
        }

    def _add(self, asked: JsonObject) -> JsonObject:
        event_handlers.add_handlers(self._store, [asked.get("handler", {})])
        return {}

    def _replace(self, asked: JsonObject) -> JsonObject:
        event_handlers.replace_handler(self._store, asked.get("handler", {}))
        return {}

    def _forget(self, asked: JsonObject) -> JsonObject:
        event_handlers.forget_handler(self._store, asked.get("name", ""))
        return {}

    def _of_event(self, asked: JsonObject) -> Iterator[JsonObject]:
        found = event_handlers.handlers_of(self._store, asked.get("event", ""), active_only=asked["activeOnly"])
        return _sayable(found)


def _sayable(handlers: Iterable[EventHandler]) -> Iterator[JsonObject]:
    return (each.to_json() for each in handlers if all(action.action in _ACTIONS for action in each.actions))
