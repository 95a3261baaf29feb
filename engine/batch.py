"""A batch on the road: what has arrived, sorted by the run it concerns, and what is to be published for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import msgspec
from msgspec import Struct, field

from engine.clock import Instant
from engine.decider.asked import has_asked
from engine.decider.unconfirmed import recall
from engine.errors import BadDefinition, BadMessage, Deadly, NotFound, Permanent
from engine.identifier import new_id
from engine.log import get_logger
from engine.model.command import Command, PassOn, Reply, TellParent
from engine.model.event import Asked, ChildEnded, Event, StartWorkflow, TaskResult
from engine.model.execution import Workflow, split_task_id
from engine.model.passing import PASSED_ON, answer, back
from engine.model.request import ASKED_BY, Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.wire.dead_letter import bury
from engine.wire.inbound import decode
from engine.wire.message import Delivery, Message
from engine.wire.request_message import (
    CHILD_ENDED_KIND,
    decode_child_ended,
    encode_child_ended,
    encode_outcome,
    encode_request,
)
from engine.wire.start_message import FAIL_ON_RUNNING, KIND_HEADER, START_KIND, read_start

log = get_logger(__name__)


class Counts(Struct):
    """What has happened on the road since the process began."""

    batches: int = 0
    events: int = 0
    starts: int = 0
    dropped: int = 0
    recalled: int = 0
    unknown: int = 0
    buried: int = 0
    conflicts: int = 0
    given_up: int = 0
    alerts: int = 0


class Group(Struct):
    """What has arrived about one run: a start, or events in their order."""

    workflow_id: str
    start: StartWorkflow | None = None
    #: What it arrived in; empty for news that the road itself has made.
    deliveries: list[Delivery] = field(default_factory=list)
    #: A start that came beside the first: its run exists by the time this one is looked at.
    start_exists: bool = False
    events: list[Event] = field(default_factory=list)
    #: Ids of the events, to take a message that came twice once.
    seen: set[str] = field(default_factory=set)
    #: Ids of events that the broker had delivered before.
    redelivered: set[str] = field(default_factory=set)
    #: Why the run cannot go on: its decision could not be stored, or its commands could not be written.
    fault: Exception | None = None
    #: Processes have died of it: the run is read as far as it must be to be ended, and nothing is evaluated.
    deadly: bool = False

    @property
    def size(self) -> int:
        """The bytes of what has arrived."""
        return sum(len(delivery.message.body) for delivery in self.deliveries)

    def expect_size(self, payload_limit: int) -> None:
        """Raise ``BadMessage`` when the start is larger than a workflow's input may be, in bytes."""
        size = self.size
        if size > payload_limit:
            raise BadMessage(
                f"The start of {self.workflow_id} has {size:,} bytes, the limit is {payload_limit:,} "
                "(BATON_PAYLOAD_LIMIT_BYTES): put large data into a file or database and send its address"
            )

    def event_ids(self) -> set[str]:
        """Return the ids of everything in the group."""
        return self.seen if self.start is None else {self.start.event_id}

    def may_be_known(self, event: Event, *, read: bool) -> bool:
        """Return whether an event may be one that the run's row remembers; ``read``: that row was read just now.

        A worker that was killed and is back under its old name and number says STARTED to the letter as before. So news
        of a beginning is known only if the broker had delivered it before, or another decider may have been given it.
        """
        begins = isinstance(event, TaskResult) and event.beginning is not None
        return not self.deadly and (not begins or read or event.event_id in self.redelivered)


class Batch:
    """What one pass over the road is about; ``groups`` empties as runs are stored, ``outgoing`` fills."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.outgoing: list[Message] = []
        #: Groups that can only be looked at once those of the same run have been stored.
        self._later: dict[str, list[Group]] = {}

    @classmethod
    def read(cls, deliveries: Iterable[Delivery], now: Instant, payload_limit: int) -> Self:
        """Sort deliveries by run; what cannot be understood is to be buried with the reason (I5).

        ``payload_limit`` is the largest input or output, in bytes; see ``engine.wire.inbound.decode``.
        """
        batch = cls()
        for delivery in deliveries:
            try:
                said = decode(delivery, new_id, payload_limit)
            except BadMessage as error:
                log.warning("message.buried", queue=delivery.queue, reason=str(error))
                batch.outgoing.append(bury(delivery, str(error), now))
                continue
            if isinstance(said, StartWorkflow):
                batch._add_start(said, delivery)
            else:
                batch._add(said, delivery)
        return batch

    @classmethod
    def condemned(cls, delivery: Delivery, reason: str, now: Instant, payload_limit: int, partitions: int) -> Self:
        """Return the batch that sets a delivery aside: its run ends for this reason, and it becomes a dead letter.

        A request is refused instead, and its run is left alone.
        """
        batch = cls.read([delivery], now, payload_limit)
        if not batch.outgoing:
            batch.outgoing.append(bury(delivery, reason, now))
        for group in tuple(batch.groups.values()):
            group.fault, group.deadly = Deadly(reason), True
            requests = [event for event in group.events if isinstance(event, Request)]
            for request in requests:
                batch._refuse(request, Outcome(granted=False, code=409, message=reason), reason, partitions)
            if requests:
                batch.done_with(group)
        return batch

    def _add_start(self, start: StartWorkflow, delivery: Delivery) -> None:
        first = self.groups.get(start.workflow_id)
        if first is None:
            self.groups[start.workflow_id] = Group(start.workflow_id, start=start, deliveries=[delivery])
        elif first.start is None or first.start.event_id != start.event_id or start.reply_to is not None:
            exists = first.start is not None
            late = Group(start.workflow_id, start=start, deliveries=[delivery], start_exists=exists)
            self._later.setdefault(start.workflow_id, []).append(late)

    def _add(self, event: Event, delivery: Delivery | None = None) -> None:
        group = self._group_for_events(event.workflow_id)
        if event.event_id in group.seen:
            return
        group.seen.add(event.event_id)
        group.events.append(event)
        if delivery is not None:
            group.deliveries.append(delivery)
            if delivery.redelivered:
                group.redelivered.add(event.event_id)

    def _group_for_events(self, workflow_id: str) -> Group:
        """Return the last group of a run if it holds events; else a new one, to be looked at after it."""
        later = self._later.get(workflow_id)
        last = later[-1] if later else self.groups.get(workflow_id)
        if last is not None and last.start is None:
            return last
        fresh = Group(workflow_id)
        if last is None:
            self.groups[workflow_id] = fresh
        else:
            self._later.setdefault(workflow_id, []).append(fresh)
        return fresh

    def done_with(self, group: Group) -> None:
        """Take a group off the list; what else has arrived about the same run takes its place."""
        if self.groups.get(group.workflow_id) is not group:
            return
        del self.groups[group.workflow_id]
        later = self._later.get(group.workflow_id)
        if later:
            self.groups[group.workflow_id] = later.pop(0)

    def give_up(self, workflow_id: str, fault: Exception) -> None:
        """Have a run ended, for this reason."""
        self.groups[workflow_id] = Group(workflow_id, fault=fault)

    # answers that need no decision

    def answer_for_missing(self, request: Request, partitions: int) -> None:
        """Reply to a request about a run that does not exist; a task that waits for that run has waited long enough."""
        missing = Outcome(granted=False, code=404, message=f"No such workflow found by id: {request.workflow_id}")
        hint = "there is no such run that could go on: a retry without resumeSubworkflowTasks starts another one"
        returned = back(request)
        if returned is not None:
            self.outgoing.append(encode_request(returned, partitions))
        else:
            self._refuse(request, missing, hint, partitions)

    def answer_again(self, answers: Iterable[Command], partitions: int) -> None:
        """Send the answers that a run which is not there any more gave before."""
        for each in answers:
            if isinstance(each, Reply):
                self.outgoing.append(encode_outcome(each.to, each.reply_id, each.outcome))
            elif isinstance(each, PassOn):
                self.outgoing.append(encode_request(each.request, partitions))

    def _refuse(self, request: Request, outcome: Outcome, news: str, partitions: int) -> None:
        """Reply with a refusal; a task that has asked for its child to go on fails with the news."""
        self.outgoing += [
            encode_outcome(command.to, command.reply_id, command.outcome) for command in self.reply(request, outcome)
        ]
        if (heard := answer(request, outcome)) is not None:
            self.outgoing.append(encode_request(heard, partitions))
        parent = split_task_id(str(request.arguments.get(ASKED_BY, "")))
        if parent is not None:
            failed = _failed_child(request.event_id, request.workflow_id, parent, news)
            self.outgoing.append(encode_child_ended(failed, partitions))

    @staticmethod
    def reply(request: Request | StartWorkflow, outcome: Outcome) -> tuple[Reply, ...]:
        """Return the reply to a request as a command; nothing where nobody waits."""
        if outcome.code == PASSED_ON:
            return ()
        return () if request.reply_to is None else (Reply(request.reply_to, request.reply_id, outcome),)

    @classmethod
    def reply_again(cls, request: Request, outcome: Outcome) -> tuple[Command, ...]:
        """Return the answer to a request that was carried out before, also to a task that wants to hear of it."""
        heard = answer(request, outcome)
        return (*cls.reply(request, outcome), *(() if heard is None else (PassOn(heard),)))

    def refuse_start(self, group: Group, error: Permanent, partitions: int, now: Instant) -> None:
        """Tell whoever asked for a run that there will be none: the asker, the parent, or else the dead letters."""
        start = group.start
        assert start is not None
        log.warning("start.refused", workflow=start.name, workflow_id=start.workflow_id, reason=str(error))
        parent = split_task_id(start.parent_task_id) if start.parent_task_id is not None else None
        if start.reply_to is not None:
            code = 404 if isinstance(error, NotFound) else 400 if isinstance(error, BadDefinition | BadMessage) else 409
            outcome = Outcome(granted=False, code=code, message=str(error))
            self.outgoing.append(encode_outcome(start.reply_to, start.reply_id, outcome))
        elif parent is not None:
            failed = _failed_child(start.workflow_id, start.workflow_id, parent, str(error))
            self.outgoing.append(encode_child_ended(failed, partitions))
        else:
            self.outgoing += [bury(delivery, str(error), now) for delivery in group.deliveries]
        self.done_with(group)

    def bury_news(self, group: Group, now: Instant) -> None:
        """Bury what has arrived about a run that can neither be stored nor ended, so that nothing of it is lost."""
        reason = f"workflow {group.workflow_id} can be neither carried on nor ended: {group.fault}"
        self.outgoing += [bury(delivery, reason, now) for delivery in group.deliveries]
        self.done_with(group)

    def asked(self, group: Group, workflow: Workflow, partitions: int) -> Iterator[Event]:
        """Yield the news for a run that a task asks for it by its idempotency key, though it was not started for it.

        Where the task's strategy forbids that, the task fails instead, and nothing happens to the run.
        """
        start = group.start
        parent = None if start is None or start.parent_task_id is None else split_task_id(start.parent_task_id)
        if start is None or start.parent_task_id is None or parent is None or group.deadly:
            return
        if has_asked(workflow, start.parent_task_id) or recall(workflow.unconfirmed, start.event_id) is not None:
            return
        refusal = _refusal(start, workflow)
        if workflow.id == start.parent_id:
            refusal = f"The run {workflow.id} has this idempotency key itself, and would wait for its own end"
        if refusal is None:
            awaits, task_id = start.parent_id is not None, start.parent_task_id
            yield Asked(event_id=start.event_id, workflow_id=workflow.id, task_id=task_id, awaits=awaits)
        else:
            failed = _failed_child(start.event_id, workflow.id, parent, refusal)
            self.outgoing.append(encode_child_ended(failed, partitions))

    def answer_repeated_start(self, start: StartWorkflow, workflow: Workflow) -> tuple[Command, ...]:
        """Return what is due to whoever starts a run that exists already."""
        if start.parent_task_id is not None:
            started = TellParent(start.parent_task_id, started=True)
            awaited = workflow.parent_task_id == start.parent_task_id
            ended = workflow.status.is_terminal and awaited
            return (started, TellParent(start.parent_task_id)) if ended else (started,)
        refusal = _refusal(start, workflow)
        if refusal is not None:
            return self.reply(start, Outcome(granted=False, code=409, message=refusal))
        return self.reply(start, Outcome(granted=True, result={"workflowId": workflow.id}))

    # what can never be sent

    def add_unsendable(self, faults: Sequence[tuple[Message, str]]) -> None:
        """Take in the bad news that messages which the broker refuses mean for their runs."""
        for message, reason in faults:
            event = _bad_news(message, reason)
            log.error("message.unsendable", queue=message.queue, exchange=message.exchange, reason=reason)
            if event is not None:
                self._add(event)


def _refusal(start: StartWorkflow, workflow: Workflow) -> str | None:
    """Return why a start's strategy does not let it have a run that exists already, None where it does."""
    strategy, running = start.idempotency_strategy, workflow.status.is_open
    if strategy == "FAIL" or (strategy == FAIL_ON_RUNNING and running):
        # The first words are Conductor's: clients look for them.
        known = f"Workflow with the idempotency key {start.idempotency_key} already exists"
        return f"{known}: {workflow.id} ({workflow.status})"
    return None


def _failed_child(asked_by: str, child_id: str, parent: tuple[str, int], reason: str) -> ChildEnded:
    """Return the news for a task that the run which it asked for will not come to an end, because there is none."""
    return ChildEnded(
        event_id=f"{asked_by}/refused",
        workflow_id=parent[0],
        seq=parent[1],
        child_id=child_id,
        status=WorkflowStatus.FAILED,
        reason=reason,
    )


def _bad_news(message: Message, reason: str) -> Event | None:
    """Return what an unsendable message means for the run that wanted it sent."""
    kind = message.headers.get(KIND_HEADER)
    if kind == START_KIND:
        return _unsendable_start(message, reason)
    if kind == CHILD_ENDED_KIND:
        news = decode_child_ended(Delivery(message=message, queue=message.queue))
        return ChildEnded(
            event_id=f"{news.event_id}/unsendable",
            workflow_id=news.workflow_id,
            seq=news.seq,
            child_id=news.child_id,
            status=WorkflowStatus.FAILED,
            reason=f"The child's output cannot be sent to its parent: {reason}",
        )
    parts = split_task_id(str(message.headers.get("id", ""))) if "task" in message.headers else None
    if parts is None:
        return None
    return TaskResult(
        event_id=f"{parts[1]}/unsendable",
        workflow_id=parts[0],
        seq=parts[1],
        status=TaskStatus.FAILED_WITH_TERMINAL_ERROR,
        reason=f"The task cannot be sent to its queue: {reason}",
    )


def _unsendable_start(message: Message, reason: str) -> Event | None:
    try:
        start = read_start(msgspec.json.decode(message.body), new_id, ours=True)
    except (BadMessage, msgspec.DecodeError):
        return None
    parent = split_task_id(start.parent_task_id) if start.parent_task_id is not None else None
    if parent is None:
        return None
    return _failed_child(start.workflow_id, start.workflow_id, parent, f"The start cannot be sent: {reason}")
