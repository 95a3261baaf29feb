"""One run of a workflow: its own record and one record for each attempt of each task, all frozen.

Times are ``Instant`` (microseconds since the epoch, UTC); 0 means "never". Durations carry their unit in the name.
"""

from __future__ import annotations

import re

from msgspec import Struct

from engine.clock import Instant
from engine.model.payload import Json, JsonObject
from engine.model.status import Slot, TaskStatus, WorkflowStatus

NEVER = Instant(0)

#: What a workflow's id may look like, also one that its starter chose: it stands in URLs, headers and task ids.
WORKFLOW_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~@+=-]{0,127}")

#: Not more than ten digits: the database keeps 32 bits.
_SEQ = re.compile(r"[0-9]{1,10}")


def task_id(workflow_id: str, seq: int) -> str:
    """Return the id of a workflow's ``seq``-th task: ``<workflow id>.<seq>``.

    Derived, so that deciding the same thing twice names the same task, and so that a worker's answer leads to its
    workflow without a look-up (a retried Celery task answers with the task id alone).
    """
    return f"{workflow_id}.{seq}"


def split_task_id(identity: str) -> tuple[str, int] | None:
    """Return the workflow id and seq that make up a task id, or None when it is not one of ours."""
    workflow_id, _, seq = identity.rpartition(".")
    return (workflow_id, int(seq)) if WORKFLOW_ID.fullmatch(workflow_id) and _SEQ.fullmatch(seq) else None


class Task(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt of one task.

    ``seq`` counts a workflow's tasks from 1 in the order of scheduling. ``parent`` is the seq of the task that opened
    the list in which this one stands (0 for the workflow's own list), ``branch`` the name of that list and
    ``position`` the place in it: together they lead to the step of the definition that the task carries out.
    """

    workflow_id: str
    seq: int
    #: Reference name with its loop suffix: ``resize__2`` in the second iteration.
    ref: str
    #: The definition's type, for SIMPLE ``SIMPLE``; what Conductor shows as taskType is ``wire``'s business.
    type: str
    #: The task definition's name; for worker tasks also the queue.
    name: str
    parent: int = 0
    branch: str = ""
    position: int = 0
    iteration: int = 0
    #: Conductor's retryCount: 0 for the first attempt.
    attempt: int = 0
    #: The seq of the attempt before this one, 0 for the first.
    retry_of: int = 0
    #: A later attempt has taken over.
    retried: bool = False
    #: The flow has moved on behind this task.
    executed: bool = False
    status: TaskStatus = TaskStatus.SCHEDULED
    input: JsonObject = {}
    output: JsonObject = {}
    reason: str | None = None
    #: The queue to which the task was, or will be, published; empty for what the engine carries out itself.
    queue: str = ""
    domain: str | None = None
    worker: str | None = None
    polls: int = 0
    #: How often a worker is known to have begun this attempt; more than once only when the one before was lost with it.
    times_begun: int = 0
    #: Seconds that a worker or a retry asked to wait before the next delivery.
    callback_after_seconds: int = 0
    first_scheduled_at: Instant = NEVER
    scheduled_at: Instant = NEVER
    #: When it was, or is to be, handed out; later than ``scheduled_at`` by a start or retry delay.
    visible_at: Instant = NEVER
    #: It has been commanded to the queue; False while a delay still runs or it waits for a slot.
    dispatched: bool = False
    #: Whether it waits for, or holds, one of the slots that its name is limited to.
    slot: Slot = Slot.NONE
    started_at: Instant = NEVER
    #: Last sign of life from whoever works on it; for a task that nobody was heard of, when its silence began.
    updated_at: Instant = NEVER
    ended_at: Instant = NEVER
    #: When the engine itself must look at it again: the end of a WAIT.
    due_at: Instant = NEVER
    #: The child run of a SUB_WORKFLOW, or the run that a START_WORKFLOW started.
    child_id: str | None = None
    #: The task definition found when a dynamic task was scheduled; static tasks have theirs in the snapshot.
    own_definition: JsonObject | None = None

    @property
    def id(self) -> str:
        """The task's id as workers and clients know it."""
        return task_id(self.workflow_id, self.seq)


class Workflow(Struct, frozen=True, kw_only=True):
    """The run's own record."""

    id: str
    name: str
    #: The definition's version.
    version: int
    #: SHA-256 of the definition snapshot that the run started with.
    definition_hash: str
    status: WorkflowStatus = WorkflowStatus.RUNNING
    #: Counts the saves of this run; a save names the number it was loaded at (invariant I3).
    version_no: int = 0
    #: Lower bound of the next moment at which something is due; NEVER when nothing is.
    wake_at: Instant = NEVER
    #: Events applied by the last batch with references to what they commanded, until the broker has confirmed them.
    unconfirmed: Json = ()
    #: The highest seq given out so far.
    last_seq: int = 0
    input: JsonObject = {}
    output: JsonObject = {}
    variables: JsonObject = {}
    task_to_domain: JsonObject = {}
    #: Steps to be passed over when the flow comes to them: reference name to ``{"input", "output"}`` of their rows.
    skips: JsonObject = {}
    correlation_id: str | None = None
    #: Conductor's 0 to 99; queues have 0 to 9.
    priority: int = 0
    parent_id: str | None = None
    parent_task_id: str | None = None
    #: Tasks that have asked for this very run beside the parent's: ``[id, whether it waits for the end]``.
    asked_by: Json = ()
    #: How many ancestors the run has; bounds runaway recursion.
    depth: int = 0
    created_by: str | None = None
    event: str | None = None
    idempotency_key: str | None = None
    #: What the definition's ``rateLimitKey`` came to; None where the definition limits nothing.
    rate_limit_key: str | None = None
    #: Whether the run waits for, or holds, one of the slots of its key.
    slot: Slot = Slot.NONE
    #: How often it has stood in line; the row of its slot has this number, negative, for a seq.
    slot_no: int = 0
    created_at: Instant = NEVER
    updated_at: Instant = NEVER
    ended_at: Instant = NEVER
    last_retried_at: Instant = NEVER
    reason: str | None = None
    failed_task_id: str | None = None
    failed_refs: tuple[str, ...] = ()
    failed_names: tuple[str, ...] = ()
    #: The run that was started because this one failed.
    failure_workflow_id: str | None = None
    #: What was sent to the open run and no task has taken yet, the oldest first.
    messages: tuple[Json, ...] = ()
