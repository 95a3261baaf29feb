"""What a store in memory keeps, and the journal by which a transaction of it is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from engine.clock import Instant
    from engine.model.definition import TaskDef, WorkflowDef
    from engine.model.earlier import EarlierRound
    from engine.model.event_handler import EventHandler
    from engine.model.execution import Task, Workflow
    from engine.model.schedule import ScheduleExecution
    from engine.model.schema_def import SchemaDef, SchemaKey
    from engine.model.webhook import Webhook
    from engine.store.archive_port import Archived
    from engine.store.event_port import EventExecution
    from engine.store.history_port import RemovedRun
    from engine.store.notice_port import HeldNotice
    from engine.store.port import InHand, LoggedRequest, TaskKey
    from engine.store.results_port import StoredResult
    from engine.store.schedule_port import ScheduleRow
    from engine.store.webhook_port import Shape
    from engine.store.worker_port import LastPoll, LogLine
    from engine.testing.memory_slots import SlotRow

_K = TypeVar("_K")
_V = TypeVar("_V")

#: Stands in the journal where there was no entry before.
_NOTHING: Any = object()


class Tables:
    """All that the store holds. Values are frozen, so whoever reads one may keep it."""

    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.tasks: dict[str, dict[int, Task]] = {}
        self.rung_at: dict[str, Instant] = {}
        self.request_log: dict[int, LoggedRequest] = {}
        self.snapshots: dict[str, WorkflowDef] = {}
        self.workflow_defs: dict[tuple[str, int], WorkflowDef] = {}
        self.task_defs: dict[str, TaskDef] = {}
        self.schemas: dict[SchemaKey, SchemaDef] = {}
        self.catalog: dict[str, int] = {"version": 0}
        self.queues: dict[str, Instant] = {}
        self.settings: dict[str, str] = {}
        self.living: dict[str, Instant] = {}
        self.leases: dict[int, str] = {}
        self.in_hand: dict[tuple[str, str], InHand] = {}
        self.limits: dict[str, Instant] = {}
        self.slots: dict[TaskKey, SlotRow] = {}
        self.earlier: dict[str, tuple[EarlierRound, ...]] = {}
        self.removed: dict[str, RemovedRun] = {}
        self.moving_at: dict[Archived, Instant] = {}
        self.event_handlers: dict[str, EventHandler] = {}
        self.event_executions: dict[str, EventExecution] = {}
        self.results: dict[str, StoredResult] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.awaited: dict[TaskKey, str] = {}
        self.shapes: dict[Shape, None] = {}
        self.log_lines: dict[str, tuple[LogLine, ...]] = {}
        self.last_polls: dict[tuple[str, str], LastPoll] = {}
        self.notices: dict[tuple[str, str], HeldNotice] = {}
        self.schedules: dict[str, ScheduleRow] = {}
        self.schedule_executions: dict[str, ScheduleExecution] = {}


class Journal:
    """Writes entries and remembers what stood there before."""

    def __init__(self) -> None:
        self._before: list[tuple[dict[Any, Any], Any, Any]] = []
        self._closed = False

    def close(self) -> None:
        """Let what was written stand: that was promised to be all."""
        self._before.clear()
        self._closed = True

    def put(self, table: dict[_K, _V], key: _K, value: _V) -> None:
        """Write an entry."""
        assert not self._closed, "something is written after what was said to be the last"
        self._before.append((table, key, table.get(key, _NOTHING)))
        table[key] = value

    def drop(self, table: dict[_K, _V], key: _K) -> bool:
        """Take an entry away; False when there was none."""
        assert not self._closed, "something is deleted after what was said to be the last"
        if key not in table:
            return False
        self._before.append((table, key, table.pop(key)))
        return True

    def undo(self) -> None:
        """Put back what stood there before the transaction."""
        while self._before:
            table, key, value = self._before.pop()
            if value is _NOTHING:
                table.pop(key, None)
            else:
                table[key] = value
