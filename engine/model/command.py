"""What the decider wants done once its decision is stored; each can be rebuilt from the rows by its reference."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from engine.clock import Instant
from engine.model.payload import JsonObject
from engine.model.request import Outcome, Request


class Dispatch(Struct, frozen=True):
    """Publish the task with this seq to its queue."""

    seq: int


class StartChild(Struct, frozen=True):
    """Publish the start message that the SUB_WORKFLOW or START_WORKFLOW task with this seq describes."""

    seq: int


class Cancel(Struct, frozen=True):
    """Revoke the task with this seq, or terminate its child: nobody waits for it any more."""

    seq: int


class Abandon(Struct, frozen=True):
    """Revoke a task that is no part of the flow any more, or terminate its child: its row is not at hand.

    ``number`` is the task's seq, ``child_id`` its child where it has one.
    """

    number: int
    child_id: str | None = None


class TellParent(Struct, frozen=True):
    """Send the task that asked for this run the news that it exists (``started``) or has ended.

    ``again`` is the id of the request that made it necessary to send the same news another time.
    """

    task_id: str
    started: bool = False
    again: str = ""


class RetryChild(Struct, frozen=True):
    """Ask the child of the task with this seq to go on from where it failed: the task waits for it again."""

    seq: int


class RerunChild(Struct, frozen=True):
    """Ask the child of the task with this seq to go back to a task of its own, with these arguments of ``rerun``."""

    seq: int
    arguments: JsonObject


class AskChild(Struct, frozen=True):
    """Ask the child of the task with this seq for the news of its end, should it have ended already."""

    seq: int


class AskRun(Struct, frozen=True):
    """Send the request of the task with this seq to the run that it asks."""

    seq: int


class PassOn(Struct, frozen=True):
    """Send another run a request that has come here, or what a task of it wants to hear."""

    request: Request


class ReviveParent(Struct, frozen=True):
    """Tell the parent that this run goes on, so that it waits for it again."""


class StartFailureWorkflow(Struct, frozen=True):
    """Publish the start message of the failure workflow that this run's definition names."""


class Announce(Struct, frozen=True):
    """Publish the run's (seq 0) or a task's new status to whoever listens."""

    seq: int
    status: str


class Alert(Struct, frozen=True):
    """Tell whoever listens that the run (seq 0) or a task is late, where its timeout ends nothing."""

    seq: int
    reason: str


class Notify(Struct, frozen=True):
    """Send the listeners word of an event of the run (seq 0) or of a task.

    ``payload`` is what the definition wants said of a change (``onStateChange``): its type and its evaluated payload.
    """

    seq: int
    event: str
    at: Instant
    payload: JsonObject | None = None


class WakeSoon(Struct, frozen=True):
    """Come back at once: the step budget was spent before the flow came to rest."""


class SeeToSlot(Struct, frozen=True):
    """See to the slot of the task with this seq: it needs one, or has ended and gives it back.

    A seq below 0 is that of a slot of the run itself.
    """

    seq: int


class Reply(Struct, frozen=True):
    """Answer the asker."""

    to: str
    reply_id: str | None
    outcome: Outcome


#: What is for other runs.
ForRuns: TypeAlias = (
    StartChild | TellParent | RetryChild | RerunChild | AskChild | AskRun | PassOn | ReviveParent | StartFailureWorkflow
)

Command: TypeAlias = Dispatch | Cancel | Abandon | Announce | Alert | Notify | WakeSoon | SeeToSlot | Reply | ForRuns
