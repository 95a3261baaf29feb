"""Facts that reach the decider about one workflow; each may come twice, late or out of order."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from engine.clock import Instant
from engine.model.payload import Json, JsonObject
from engine.model.request import Request
from engine.model.status import TaskStatus, WorkflowStatus


class Beginning(StrEnum):
    """What a sign of life says about how often a worker has begun the task within this attempt."""

    #: A worker has begun it.
    FIRST = "first"
    #: A worker wants to begin it that was handed it again: whoever had it before has not told how it ended.
    AGAIN = "again"
    #: The task has asked to be begun anew (Celery's ``self.retry``).
    WISHED = "wished"


class StartWorkflow(Struct, frozen=True, kw_only=True):
    """Somebody wants a run: the fields of Conductor's StartWorkflowRequest, and who asks.

    ``workflow_id`` is always filled when the message has been read: given, derived from the message id, or new.
    """

    event_id: str
    workflow_id: str
    name: str
    version: int | None = None
    input: JsonObject = {}
    correlation_id: str | None = None
    priority: int = 0
    task_to_domain: JsonObject = {}
    #: An inline definition, used instead of a registered one.
    workflow_def: JsonObject | None = None
    idempotency_key: str | None = None
    idempotency_strategy: str | None = None
    created_by: str | None = None
    event: str | None = None
    parent_id: str | None = None
    #: The task that asked for the run and is told of its start; without ``parent_id`` the two have no further tie.
    parent_task_id: str | None = None
    depth: int = 0
    reply_to: str | None = None
    #: What to echo in the reply, so that the asker recognises it.
    reply_id: str | None = None


class TaskResult(Struct, frozen=True, kw_only=True):
    """A worker's word about one task: an end, a sign of life, or progress."""

    event_id: str
    workflow_id: str
    seq: int
    status: TaskStatus
    output: JsonObject = {}
    reason: str | None = None
    worker: str | None = None
    #: For IN_PROGRESS: hand the task out again after this many seconds (Conductor's callbackAfterSeconds).
    callback_after_seconds: int | None = None
    #: For IN_PROGRESS: a sign of life only; status and output stay as they are.
    heartbeat: bool = False
    #: It came as a request, from a client or a worker that polls, and not as the answer of a Celery worker.
    reported: bool = False
    #: For IN_PROGRESS: what it says about the beginning of the task, if anything.
    beginning: Beginning | None = None
    #: For IN_PROGRESS: a worker that polls is handed the task by it.
    polled: bool = False


class ChildEnded(Struct, frozen=True, kw_only=True):
    """News for a parent: the run started by its SUB_WORKFLOW task has ended (or could not be started)."""

    event_id: str
    workflow_id: str
    seq: int
    child_id: str
    status: WorkflowStatus
    output: JsonObject = {}
    reason: str | None = None


class ChildStarted(Struct, frozen=True, kw_only=True):
    """News for a parent: the run that its task asked for is stored, with its first tasks."""

    event_id: str
    workflow_id: str
    seq: int
    child_id: str


class Asked(Struct, frozen=True, kw_only=True):
    """A task has asked for a run by an idempotency key, and the run exists: it is told that, and how the run ends."""

    event_id: str
    workflow_id: str
    task_id: str
    #: It waits for the end (SUB_WORKFLOW), not just for the start.
    awaits: bool


class SlotNews(Struct, frozen=True, kw_only=True):
    """News of the limit of a task's name: a slot is its own now, or (not ``granted``) there may be room: ask again.

    A seq below 0 is that of a slot of the run itself.
    """

    event_id: str
    workflow_id: str
    seq: int
    granted: bool


class Wake(Struct, frozen=True, kw_only=True):
    """Something in this workflow may be due.

    ``resend`` asks for all that the broker may have lost to be published again: open tasks, and the failure workflow of
    a run that has ended; with ``workers_lost`` also tasks that somebody was working on, because the workers went with
    it.
    """

    event_id: str
    workflow_id: str
    resend: bool = False
    workers_lost: bool = False
    #: A task queue that has lost messages: tasks that stand SCHEDULED in it are published again.
    lost_queue: str | None = None


#: Everything that can happen to a workflow that exists.
Event: TypeAlias = TaskResult | ChildEnded | ChildStarted | Asked | SlotNews | Wake | Request

#: When each task queue was last seen without ready messages; what the silence rule goes by.
QueuesSeenEmpty: TypeAlias = "dict[str, Instant]"

#: Anything that may stand in a reply.
ReplyBody: TypeAlias = Json
