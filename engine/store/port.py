"""What a store must be able to do; Postgres, SQLite and the in-memory store all pass one suite."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from engine.clock import Instant
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.earlier import EarlierRound
from engine.model.execution import NEVER, Task, Workflow
from engine.model.limit import Terms
from engine.model.payload import JsonObject
from engine.model.request import Outcome, Request
from engine.search.condition import Matches, every
from engine.search.subject import RUN_CORRELATION, RUN_NAME, RUN_PARENT, RUN_STATUS
from engine.store.archive_port import Archives
from engine.store.event_port import EventStore
from engine.store.history_port import HistoryTransaction, RemovedRun
from engine.store.notice_port import HeldNotices
from engine.store.pending_port import Pending
from engine.store.results_port import Results
from engine.store.schedule_port import ScheduleTransaction
from engine.store.schema_def_port import SchemaDefs
from engine.store.search_port import Query, Searching
from engine.store.webhook_port import Webhooks
from engine.store.worker_port import WorkerNotes


class Rows(Struct, frozen=True):
    """One run as stored: its record and its tasks in the order of ``seq``."""

    workflow: Workflow
    tasks: tuple[Task, ...]
    #: What inputs, outputs and variables take as JSON text; 0 where nobody counts.
    payload_bytes: int = 0
    #: Why something of the run cannot be had any more, in words; it can only be ended.
    unreadable: str | None = None


class Save(Struct, frozen=True, kw_only=True):
    """What one workflow's decision changes.

    ``loaded_version`` is the ``version_no`` it was decided from, None for a new run. ``workflow.version_no`` is
    already the next number; the first is the moment at which the run begins. ``inserted`` are new task rows,
    ``updated`` existing ones, both whole; what they are by birth never changes afterwards: a run's name, parent and
    origin, a task's reference, type, place and attempt.

    ``before`` and ``tasks_before`` (by seq) are what the decision was made from, where the caller still holds it:
    payloads that are the very same objects as before are then not written again, however large they are.
    """

    workflow: Workflow
    loaded_version: int | None
    inserted: Sequence[Task] = ()
    updated: Sequence[Task] = ()
    before: Workflow | None = None
    tasks_before: Mapping[int, Task] = {}
    #: What the run was, where it or part of it is done over: its tasks are moved out of the run's rows.
    earlier: EarlierRound | None = None
    #: Tasks whose rows are to be deleted, by their seq.
    forgotten: Sequence[int] = ()
    #: The run's rows are to be deleted.
    removed: RemovedRun | None = None


class Due(Struct, frozen=True):
    """A workflow whose date has come: its id and the ``wake_at`` that was reached."""

    workflow_id: str
    wake_at: Instant


#: A task by the id of its run and its seq; a run that stands in line by its id and a number below 0.
TaskKey: TypeAlias = tuple[str, int]


class SlotTask(Struct, frozen=True, kw_only=True):
    """A task or run under a limit, and its place in the line: the higher priority first, then whoever waits longer."""

    limit: str
    workflow_id: str
    seq: int
    #: The run's, 0 to 99.
    priority: int = 0
    #: Since when it could have been handed out.
    since: Instant


class WorkflowQuery(Struct, frozen=True, kw_only=True):
    """Which runs to list, in few words; empty fields match everything. Newest first."""

    name: str | None = None
    statuses: tuple[str, ...] = ()
    correlation_id: str | None = None
    parent_id: str | None = None
    start: int = 0
    size: int = 100

    def search(self) -> Query:
        """Return the search that this is short for."""
        texts = ((RUN_NAME, self.name), (RUN_CORRELATION, self.correlation_id), (RUN_PARENT, self.parent_id))
        wanted = [Matches(field, (text,)) for field, text in texts if text is not None]
        if self.statuses:
            wanted.append(Matches(RUN_STATUS, self.statuses))
        return Query(condition=every(wanted), start=self.start, size=self.size)


class LoggedRequest(Struct, frozen=True):
    """A line of the audit trail: who asked for what, when, and what became of it."""

    request: Request
    outcome: Outcome
    at: Instant


#: After so long a line about a message in hand is forgotten: the message is gone with its queue.
WEEK_SECONDS: Final = 7 * 86_400


class InHand(Struct, frozen=True, kw_only=True):
    """A message that came back to the road, and the process that has it in hand, or died with it.

    ``message`` is its digest, ``owner`` the process, ``label`` what people know the message by.
    """

    message: str
    owner: str
    queue: str
    label: str
    at: Instant


class Transaction(
    Archives,
    HistoryTransaction,
    EventStore,
    HeldNotices,
    Pending,
    Results,
    ScheduleTransaction,
    SchemaDefs,
    Searching,
    Webhooks,
    WorkerNotes,
    Protocol,
):
    """Everything that can be read or written inside one transaction; leaving the block commits it."""

    # runs

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        """Return the runs with these ids and all their tasks; unknown ids are left out.

        Without ``payloads``, inputs, outputs and variables stay where they are and look empty: for a run that is too
        much to read, and is only to be ended.
        """
        ...

    def save(self, saves: Sequence[Save], *, last: bool = False) -> set[str]:
        """Write these decisions with a few statements for all of them; return the ids that were written.

        An id is missing from the answer when its row had moved on from ``loaded_version`` (or, for a new run, existed
        already): then nothing of that workflow was written. ``last`` promises that nothing more is done in this
        transaction: it may be committed with what it writes here.
        """
        ...

    def find(self, query: WorkflowQuery) -> tuple[int, tuple[Workflow, ...]]:
        """Return how many runs match and the page asked for, without their tasks."""
        ...

    def log_requests(self, lines: Sequence[LoggedRequest]) -> None:
        """Append to the audit trail."""
        ...

    def requests(self, workflow_id: str) -> tuple[LoggedRequest, ...]:
        """Return the audit trail of one run, oldest first."""
        ...

    # definitions

    def put_snapshot(self, snapshots: Mapping[str, WorkflowDef]) -> None:
        """Store definition snapshots by their hash; those already there are left alone."""
        ...

    def snapshots(self, hashes: Collection[str]) -> dict[str, WorkflowDef]:
        """Return the snapshots with these hashes."""
        ...

    def register_workflow(self, definition: WorkflowDef, *, overwrite: bool) -> bool:
        """Store a definition under its name and version; False when it exists and ``overwrite`` is not set."""
        ...

    def workflow_def(self, name: str, version: int | None) -> WorkflowDef | None:
        """Return a registered definition; without a version the one with the highest number."""
        ...

    def workflow_defs(self, name: str | None = None) -> tuple[WorkflowDef, ...]:
        """Return every registered version of every definition, or of the one of this name; by name and version."""
        ...

    def unregister_workflow(self, name: str, version: int) -> bool:
        """Forget a registered version (running ones are untouched); False when there was none."""
        ...

    def register_tasks(self, definitions: Sequence[TaskDef]) -> None:
        """Store task definitions, replacing those of the same name; limits of these names are rung at once."""
        ...

    def task_defs(self, names: Collection[str] | None = None) -> dict[str, TaskDef]:
        """Return registered task definitions by name; all of them when ``names`` is None."""
        ...

    def unregister_task(self, name: str) -> bool:
        """Forget a task definition and have a limit of its name rung; False when there was none."""
        ...

    def catalog_version(self) -> str:
        """Return a mark that differs once any workflow, task or schema was registered or forgotten."""
        ...

    # limits

    def lock_limits(self, names: Collection[str]) -> None:
        """Keep everybody else from these limits until the transaction ends.

        To be called before their terms are read and their slots exchanged, and after any runs have been saved.
        """
        ...

    def slots_taken(self, limit: str) -> int:
        """Return how many slots of a limit are held or waited for; without a lock, so others may take one meanwhile."""
        ...

    def exchange_slots(
        self, waiting: Sequence[SlotTask], ended: Sequence[SlotTask], terms: Mapping[str, Terms], now: Instant
    ) -> tuple[TaskKey, ...]:
        """Put tasks in line for a slot, take back the slots of others, and grant what is free then.

        ``terms`` has every limit that is concerned, by name, all of them locked (``lock_limits``); those with nobody in
        ``waiting`` or ``ended`` are looked at too. A task that stands in line already, or has no slot to give back,
        changes nothing. Returns the tasks that were granted a slot just now.
        """
        ...

    def unsent_grants(self, limits: Collection[str] | None, before: Instant | None) -> tuple[TaskKey, ...]:
        """Return tasks that have been granted a slot and still wait.

        Only of these ``limits``, and only those granted until ``before``, unless it is None.
        """
        ...

    def ring_limits(self, now: Instant, lease_seconds: float) -> tuple[TaskKey, ...]:
        """Return the first in line of every limit whose date has come; the date moves on by the lease.

        Limits locked by somebody else are skipped. A limit that nobody looks at is returned again after the lease.
        """
        ...

    def mend_slots(self) -> int:
        """Take back slots of tasks and runs that have ended or are gone; return how many there were.

        Limits for runs under which nobody stands any more are forgotten.
        Their limits, and any in which somebody waits, are rung at once: whatever kept a slot from being granted, the
        next look finds it.
        """
        ...

    # housekeeping

    def ring(self, now: Instant, lease_seconds: float, limit: int) -> tuple[Due, ...]:
        """Return open runs whose ``wake_at`` has passed and lease them, so that nobody else rings them meanwhile.

        Writes ``rung_at`` and nothing else; rows locked by another timekeeper are skipped. A run whose lease has
        passed without being saved is returned again.
        """
        ...

    def next_ring(self, beyond: Instant = NEVER) -> Instant | None:
        """Return the earliest ``wake_at`` later than ``beyond`` of any open run or limit, or None.

        It is what the timekeeper sleeps towards.
        """
        ...

    def open_workflow_ids(self, after: str, limit: int) -> tuple[str, ...]:
        """Return a page of the ids of open runs greater than ``after``, in order; what the rescuer walks through."""
        ...

    def unstarted_failure_workflows(self, after: str, limit: int) -> tuple[str, ...]:
        """Return a page of the ids, after ``after``, of failed runs whose failure workflow has not begun; in order."""
        ...

    def scheduled_tasks(self, before: Instant) -> dict[str, int]:
        """Return how many tasks of open runs stand in each queue, published before then and not heard of since.

        One that was published again counts only when it has waited twice as long again as it had before.
        """
        ...

    def runs_scheduled_in(self, queue: str, before: Instant, after: str, limit: int) -> tuple[str, ...]:
        """Return a page of the ids, after ``after``, of runs with such tasks in this queue; in order."""
        ...

    def note_queues(self, names: Collection[str]) -> None:
        """Remember that tasks are published to these queues."""
        ...

    def queue_names(self) -> tuple[str, ...]:
        """Return every queue that tasks were ever published to."""
        ...

    def saw_empty(self, moments: Mapping[str, Instant]) -> None:
        """Record when these queues were seen without ready messages."""
        ...

    def queues_seen_empty(self) -> dict[str, Instant]:
        """Return for each queue when it was last seen without ready messages."""
        ...

    def setting(self, key: str) -> str | None:
        """Return a setting of the whole system (such as the number of partitions)."""
        ...

    def put_setting(self, key: str, value: str) -> str:
        """Store a setting unless it exists; return the value that holds now."""
        ...

    def share_leases(self, owner: str, now: Instant, lease_seconds: float, partitions: int) -> tuple[int, ...]:
        """Renew this owner's partition leases and return the partitions it may own now.

        Each living owner gets an equal share; leases that have run out are free to take; what is beyond an owner's
        share is given up for newcomers.
        """
        ...

    def release_leases(self, owner: str) -> None:
        """Give up all of this owner's partitions (clean shutdown)."""
        ...

    def take_in_hand(self, lines: Sequence[InHand]) -> None:
        """Write down that these messages are in hand; lines as old as a week are forgotten."""
        ...

    def deaths(self, messages: Collection[str], owner: str) -> dict[str, int]:
        """Return how many processes other than ``owner`` have had each message in hand and never let go of it."""
        ...

    def let_go(self, messages: Collection[str]) -> None:
        """Forget that anybody had these messages in hand: they have been carried out."""
        ...

    def let_all_go(self, owner: str) -> None:
        """Forget what this process had in hand: it lives, or ends as it should."""
        ...

    def all_in_hand(self) -> tuple[InHand, ...]:
        """Return every message that is in hand, or was when a process died; oldest first."""
        ...

    def statistics(self) -> JsonObject:
        """Return counts for health and doctor: runs by status, open tasks by queue."""
        ...


class Store(Protocol):
    """A place that keeps runs and definitions."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; commits when the block ends, rolls back when it raises.

        Raises ``StoreUnavailable`` when the database cannot be reached or drops the connection, ``Unstorable`` when
        it cannot keep what it was given.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
