"""A store that keeps everything in this process: for tests, and for trying things out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from engine.clock import Instant, after
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.execution import NEVER, Task, Workflow
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus
from engine.store.codec import storable
from engine.store.gathered import WholeLoops
from engine.store.port import WEEK_SECONDS, Due, InHand, LoggedRequest, Rows, Save
from engine.store.records import TASK, WORKFLOW
from engine.store.share import fair_share
from engine.testing.memory_archives import MemoryArchives
from engine.testing.memory_events import MemoryEvents
from engine.testing.memory_history import MemoryHistory
from engine.testing.memory_notices import MemoryNotices
from engine.testing.memory_pending import MemoryPending
from engine.testing.memory_results import MemoryResults
from engine.testing.memory_schedules import MemorySchedules
from engine.testing.memory_schema_defs import MemorySchemaDefs
from engine.testing.memory_search import MemorySearch
from engine.testing.memory_slots import MemorySlots
from engine.testing.memory_tables import Journal, Tables
from engine.testing.memory_webhooks import MemoryWebhooks
from engine.testing.memory_workers import MemoryWorkerNotes

_S = TypeVar("_S", Task, Workflow)


def _stored(record: _S) -> _S:
    """Return the record with its texts as a database would give them back."""
    texts = ((name, getattr(record, name)) for name in record.__struct_fields__)
    changed = {name: kept for name, text in texts if isinstance(text, str) and (kept := storable(text)) != text}
    return msgspec.structs.replace(record, **changed) if changed else record


#: What a run and a task look like to whoever leaves their data where they are.
_NO_DATA: dict[str, Json] = {"input": {}, "output": {}, "variables": {}, "task_to_domain": {}, "messages": ()}
_NO_TASK_DATA: dict[str, Json] = {"input": {}, "output": {}, "own_definition": None}


def _without_payloads(rows: Rows) -> Rows:
    workflow = msgspec.structs.replace(rows.workflow, **_NO_DATA)
    return Rows(workflow, tuple(msgspec.structs.replace(task, **_NO_TASK_DATA) for task in rows.tasks))


def _written_over(stored: _S | None, record: _S, before: _S | None, payloads: Collection[str]) -> _S:
    """Return what is stored from now on: payloads that are the very same objects as before stay as they are."""
    if stored is None or before is None:
        return _stored(record)
    kept = {name: getattr(stored, name) for name in payloads if getattr(record, name) is getattr(before, name)}
    return msgspec.structs.replace(_stored(record), **kept)


def _expect_identity(stored: Workflow | None, workflow: Workflow, rows: Mapping[int, Task], save: Save) -> None:
    """Raise AssertionError for a save that a database would write otherwise than it reads."""
    assert stored is None or WORKFLOW.identity(stored) == WORKFLOW.identity(workflow), f"{workflow.id} is another run"
    for task in save.inserted:
        assert task.seq not in rows, f"{task.id} exists already"
    for task in save.updated:
        known = rows.get(task.seq)
        assert known is not None, f"{task.id} does not exist"
        assert TASK.identity(known) == TASK.identity(_stored(task)), f"{task.id} is another task"


class _Runs(MemoryHistory):
    """The part of a transaction that concerns runs."""

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        """See ``Transaction.load``."""
        tables = self._tables
        found = {
            each: Rows(tables.workflows[each], tuple(task for _, task in sorted(tables.tasks[each].items())))
            for each in workflow_ids
            if each in tables.workflows
        }
        return found if payloads else {each: _without_payloads(rows) for each, rows in found.items()}

    def save(self, saves: Sequence[Save], *, last: bool = False) -> set[str]:
        """See ``Transaction.save``."""
        tables, journal = self._tables, self._journal
        written = set()
        for save in saves:
            workflow = _stored(save.workflow)
            stored = tables.workflows.get(workflow.id)
            if (stored.version_no if stored else None) != save.loaded_version:
                continue
            if stored is None:
                journal.put(tables.tasks, workflow.id, {})
            journal.put(tables.workflows, workflow.id, _written_over(stored, workflow, save.before, _NO_DATA))
            rows = tables.tasks[workflow.id]
            _expect_identity(stored, workflow, rows, save)
            for task in (*save.inserted, *save.updated):
                before = save.tasks_before.get(task.seq)
                journal.put(rows, task.seq, _written_over(rows.get(task.seq), task, before, _NO_TASK_DATA))
            self.forget(workflow.id, save.forgotten)
            self.put_aside([save.earlier] if save.earlier else ())
            self.remove([save.removed] if save.removed else ())
            written.add(workflow.id)
        if last:
            journal.close()
        return written

    def log_requests(self, lines: Sequence[LoggedRequest]) -> None:
        """See ``Transaction.log_requests``."""
        log = self._tables.request_log
        for line in lines:
            request = msgspec.structs.replace(line.request, reply_to=None, reply_id=None)
            self._journal.put(log, max(log, default=0) + 1, LoggedRequest(request, line.outcome, line.at))

    def requests(self, workflow_id: str) -> tuple[LoggedRequest, ...]:
        """See ``Transaction.requests``."""
        lines = (line for line in self._tables.request_log.values() if line.request.workflow_id == workflow_id)
        return tuple(sorted(lines, key=lambda line: line.at))

    def ring(self, now: Instant, lease_seconds: float, limit: int) -> tuple[Due, ...]:
        """See ``Transaction.ring``."""
        tables = self._tables
        expired = after(now, -lease_seconds)

        def rings(workflow: Workflow) -> bool:
            rung_at = tables.rung_at.get(workflow.id, NEVER)
            due = workflow.status.is_open and workflow.wake_at != NEVER and workflow.wake_at <= now
            return due and (rung_at < workflow.wake_at or rung_at <= expired)

        found = sorted(filter(rings, tables.workflows.values()), key=lambda each: (each.wake_at, each.id))[:limit]
        for workflow in found:
            self._journal.put(tables.rung_at, workflow.id, now)
        return tuple(Due(workflow.id, workflow.wake_at) for workflow in found)

    def next_ring(self, beyond: Instant = NEVER) -> Instant | None:
        """See ``Transaction.next_ring``."""
        of_runs = (each.wake_at for each in self._tables.workflows.values() if each.status.is_open)
        return min((date for date in (*of_runs, *self._tables.limits.values()) if date > beyond), default=None)

    def open_workflow_ids(self, after: str, limit: int) -> tuple[str, ...]:
        """See ``Transaction.open_workflow_ids``."""
        every = self._tables.workflows.values()
        return tuple(sorted(each.id for each in every if each.status.is_open and each.id > after)[:limit])

    def unstarted_failure_workflows(self, after: str, limit: int) -> tuple[str, ...]:
        """See ``Transaction.unstarted_failure_workflows``."""
        runs, gone = self._tables.workflows, self._tables.removed
        failed = (each for each in runs.values() if each.status.is_terminal and each.status != "COMPLETED")
        lacking = (each.id for each in failed if each.failure_workflow_id and each.failure_workflow_id not in runs)
        lacking = (each for each in lacking if runs[each].failure_workflow_id not in gone)
        return tuple(sorted(identity for identity in lacking if identity > after)[:limit])

    def scheduled_tasks(self, before: Instant) -> dict[str, int]:
        """See ``Transaction.scheduled_tasks``."""
        return dict(Counter(task.queue for task in self._scheduled(before)))

    def runs_scheduled_in(self, queue: str, before: Instant, after: str, limit: int) -> tuple[str, ...]:
        """See ``Transaction.runs_scheduled_in``."""
        runs = {task.workflow_id for task in self._scheduled(before) if task.queue == queue}
        return tuple(sorted(each for each in runs if each > after)[:limit])

    def _scheduled(self, before: Instant) -> Iterator[Task]:
        for workflow in self._tables.workflows.values():
            for task in self._tables.tasks[workflow.id].values() if workflow.status.is_open else ():
                published = task.status is TaskStatus.SCHEDULED and task.dispatched and task.queue
                if published and 3 * task.visible_at - 2 * task.scheduled_at <= before:
                    yield task

    def statistics(self) -> JsonObject:
        """See ``Transaction.statistics``."""
        runs: Counter[str] = Counter()
        tasks: dict[str, Counter[str]] = {}
        for workflow in self._tables.workflows.values():
            runs[workflow.status.value] += 1
            for task in self._tables.tasks[workflow.id].values() if workflow.status.is_open else ():
                if task.queue and task.status.is_open:
                    tasks.setdefault(task.queue, Counter())[task.status.value] += 1
        return {"workflows": dict(runs), "tasks": {queue: dict(counts) for queue, counts in tasks.items()}}


class _Definitions(MemorySlots, MemoryResults, MemoryWorkerNotes):
    """The part of a transaction that concerns definitions."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    def put_snapshot(self, snapshots: Mapping[str, WorkflowDef]) -> None:
        """See ``Transaction.put_snapshot``."""
        for key, definition in snapshots.items():
            if key not in self._tables.snapshots:
                self._journal.put(self._tables.snapshots, key, definition)

    def snapshots(self, hashes: Collection[str]) -> dict[str, WorkflowDef]:
        """See ``Transaction.snapshots``."""
        return {each: self._tables.snapshots[each] for each in hashes if each in self._tables.snapshots}

    def register_workflow(self, definition: WorkflowDef, *, overwrite: bool) -> bool:
        """See ``Transaction.register_workflow``."""
        key = (definition.name, definition.version)
        if key in self._tables.workflow_defs and not overwrite:
            return False
        self._journal.put(self._tables.workflow_defs, key, definition)
        self._catalog_changed()
        self._ring_those_of(definition.name)
        return True

    def workflow_def(self, name: str, version: int | None) -> WorkflowDef | None:
        """See ``Transaction.workflow_def``."""
        if version is None:
            version = max((number for each, number in self._tables.workflow_defs if each == name), default=0)
        return self._tables.workflow_defs.get((name, version))

    def workflow_defs(self, name: str | None = None) -> tuple[WorkflowDef, ...]:
        """See ``Transaction.workflow_defs``."""
        found = sorted(self._tables.workflow_defs.items(), key=lambda e: e[0])
        return tuple(definition for (called, _), definition in found if name in (None, called))

    def unregister_workflow(self, name: str, version: int) -> bool:
        """See ``Transaction.unregister_workflow``."""
        self._catalog_changed()
        self._ring_those_of(name)
        return self._journal.drop(self._tables.workflow_defs, (name, version))

    def register_tasks(self, definitions: Sequence[TaskDef]) -> None:
        """See ``Transaction.register_tasks``."""
        for definition in definitions:
            self._journal.put(self._tables.task_defs, definition.name, definition)
        self._catalog_changed()
        self._ring_at_once({definition.name for definition in definitions})

    def task_defs(self, names: Collection[str] | None = None) -> dict[str, TaskDef]:
        """See ``Transaction.task_defs``."""
        every = self._tables.task_defs
        return dict(every) if names is None else {name: every[name] for name in names if name in every}

    def unregister_task(self, name: str) -> bool:
        """See ``Transaction.unregister_task``."""
        self._catalog_changed()
        self._ring_at_once({name})
        return self._journal.drop(self._tables.task_defs, name)

    def catalog_version(self) -> str:
        """See ``Transaction.catalog_version``."""
        return str(self._tables.catalog["version"])

    def _catalog_changed(self) -> None:
        catalog = self._tables.catalog
        self._journal.put(catalog, "version", catalog["version"] + 1)


class MemoryTransaction(
    WholeLoops,
    _Runs,
    MemoryArchives,
    _Definitions,
    MemorySchemaDefs,
    MemoryEvents,
    MemoryNotices,
    MemoryPending,
    MemorySchedules,
    MemorySearch,
    MemoryWebhooks,
):
    """Everything that can be read or written inside one transaction of a ``MemoryStore``."""

    def note_queues(self, names: Collection[str]) -> None:
        """See ``Transaction.note_queues``."""
        for name in names:
            if name not in self._tables.queues:
                self._journal.put(self._tables.queues, name, NEVER)

    def queue_names(self) -> tuple[str, ...]:
        """See ``Transaction.queue_names``."""
        return tuple(sorted(self._tables.queues))

    def saw_empty(self, moments: Mapping[str, Instant]) -> None:
        """See ``Transaction.saw_empty``."""
        for name, moment in moments.items():
            if moment > self._tables.queues.get(name, NEVER):
                self._journal.put(self._tables.queues, name, moment)

    def queues_seen_empty(self) -> dict[str, Instant]:
        """See ``Transaction.queues_seen_empty``."""
        return {name: moment for name, moment in self._tables.queues.items() if moment != NEVER}

    def setting(self, key: str) -> str | None:
        """See ``Transaction.setting``."""
        return self._tables.settings.get(key)

    def put_setting(self, key: str, value: str) -> str:
        """See ``Transaction.put_setting``."""
        if key not in self._tables.settings:
            self._journal.put(self._tables.settings, key, value)
        return self._tables.settings[key]

    def share_leases(self, owner: str, now: Instant, lease_seconds: float, partitions: int) -> tuple[int, ...]:
        """See ``Transaction.share_leases``."""
        tables, journal = self._tables, self._journal
        journal.put(tables.living, owner, after(now, lease_seconds))
        living = {each for each, until in tables.living.items() if until > now}
        mine = fair_share(owner, living, tables.leases, partitions)
        self._give_up({number for number, holder in tables.leases.items() if holder == owner} - set(mine))
        for number in mine:
            journal.put(tables.leases, number, owner)
        return mine

    def release_leases(self, owner: str) -> None:
        """See ``Transaction.release_leases``."""
        self._journal.drop(self._tables.living, owner)
        self._give_up({number for number, holder in self._tables.leases.items() if holder == owner})

    def take_in_hand(self, lines: Sequence[InHand]) -> None:
        """See ``Transaction.take_in_hand``."""
        if lines:
            oldest = after(lines[0].at, -WEEK_SECONDS)
            self._drop_in_hand(lambda line: line.at < oldest)
        for line in lines:
            self._journal.put(self._tables.in_hand, (line.message, line.owner), line)

    def deaths(self, messages: Collection[str], owner: str) -> dict[str, int]:
        """See ``Transaction.deaths``."""
        return dict(
            Counter(message for message, other in self._tables.in_hand if message in messages and other != owner)
        )

    def let_go(self, messages: Collection[str]) -> None:
        """See ``Transaction.let_go``."""
        self._drop_in_hand(lambda line: line.message in messages)

    def let_all_go(self, owner: str) -> None:
        """See ``Transaction.let_all_go``."""
        self._drop_in_hand(lambda line: line.owner == owner)

    def all_in_hand(self) -> tuple[InHand, ...]:
        """See ``Transaction.all_in_hand``."""
        return tuple(sorted(self._tables.in_hand.values(), key=lambda line: (line.at, line.message, line.owner)))

    def _drop_in_hand(self, doomed: Callable[[InHand], bool]) -> None:
        for key in [key for key, line in self._tables.in_hand.items() if doomed(line)]:
            self._journal.drop(self._tables.in_hand, key)

    def _give_up(self, partitions: Collection[int]) -> None:
        for number in partitions:
            self._journal.drop(self._tables.leases, number)


class MemoryStore:
    """Keeps runs and definitions as long as the process lives; transactions follow one another."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._turn = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """Open a transaction; commits when the block ends, rolls back when it raises."""
        with self._turn:
            journal = Journal()
            try:
                yield MemoryTransaction(self._tables, journal)
            except BaseException:
                journal.undo()
                raise

    def close(self) -> None:
        """Do nothing: there is no connection to close."""
