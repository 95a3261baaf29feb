"""Does what event handlers say about messages: asks the deciders, and writes down what came of it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from engine.api.requester import NoAnswer, Requester
from engine.broker.port import Unsendable
from engine.clock import Clock
from engine.config import Settings
from engine.errors import BadMessage, Transient
from engine.handling.acting import Work
from engine.handling.reaction import Act, Occurrence, Reaction, Surroundings, act_id, react
from engine.identifier import new_id
from engine.log import get_logger
from engine.model.event import StartWorkflow
from engine.model.event_handler import EventHandler
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome
from engine.named_values import environment_values
from engine.store.event_port import COMPLETED, FAILED, SKIPPED, EventExecution
from engine.store.port import Store, Transaction
from engine.wire.dead_letter import bury
from engine.wire.event_address import read_address, read_listened
from engine.wire.message import SINK_QUEUE, Delivery, Message

log = get_logger(__name__)

#: How often an action is sent until a decider answers; after that it is left in the decider's queue.
_TRIES = 6

#: What is kept of a decider's answer.
_KEPT = ("workflowId", "taskId", "applied")


class Arrival(Struct, frozen=True, kw_only=True):
    """A message and the id that it has for good: the sender's, or one that it was given when it arrived."""

    delivery: Delivery
    message_id: str

    @property
    def occurrence(self) -> Occurrence:
        """What handlers see of it."""
        return Occurrence(message_id=self.message_id, body=self.delivery.message.body)


class _Task(Struct, frozen=True, kw_only=True):
    """A message and a handler that it concerns; only some actions, where the message is a failure sent again."""

    arrival: Arrival
    handler: EventHandler
    only: frozenset[int] | None = None

    def act_ids(self) -> list[str]:
        """Return the ids of everything that may be done."""
        name, event = self.handler.name, self.handler.event
        return [act_id(name, event, self.arrival.message_id, index) for index in range(len(self.handler.actions))]


class Reactor:
    """Shared by all that read messages in this process."""

    def __init__(self, store: Store, requester: Requester, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._requester = requester
        self._clock = clock
        self._around = Surroundings(
            environment=environment_values(),
            script_seconds=settings.script_time_limit_ms / 1_000,
            script_bytes=settings.script_memory_limit_bytes,
            most_bytes=settings.payload_limit_bytes,
        )
        self._lock = threading.Lock()
        self._version: str | None = None
        self._handlers: Mapping[str, Sequence[EventHandler]] = {}

    def handlers(self, transaction: Transaction) -> Mapping[str, Sequence[EventHandler]]:
        """Return the active handlers by what they listen to, as they are stored at this moment."""
        version = transaction.event_handlers_version()
        with self._lock:
            if version != self._version:
                self._handlers = _by_identity(transaction.event_handlers())
                self._version = version
            return self._handlers

    def carry(self, identity: str | None, arrivals: Sequence[Arrival]) -> bool:
        """Do everything that is to be done about these messages; when this returns, all of it has been written down.

        They have arrived at ``identity``, or None: then each says itself where it belongs. False, and nothing is done,
        when no active handler listens there any more: they belong to whoever comes later. Raises ``Transient`` when
        database or broker are away: calling again repeats what was done, which does no harm.
        """
        with self._store.transaction() as transaction:
            handlers = self.handlers(transaction)
            if identity is not None and identity not in handlers:
                return False
            tasks = [task for each in arrivals for task in self._tasks(identity, each, handlers)]
            known = transaction.event_executions_known([key for task in tasks for key in task.act_ids()])
        fresh = _first_of_each([task for task in tasks if known.isdisjoint(task.act_ids())])
        if len(tasks) > len(fresh):
            log.info("event.repeated", messages=len(tasks) - len(fresh))
        reactions = [(task, react(task.handler, task.arrival.occurrence, self._around, task.only)) for task in fresh]
        outcomes = self._send([act for _, reaction in reactions for act in reaction.acts])
        executions = [each for task, reaction in reactions for each in self._executions(task, reaction, outcomes)]
        letters = [letter for task, reaction in reactions for letter in self._letters(task, reaction, outcomes)]
        if identity is None:
            letters += [self._letter(each, {}, why) for each in arrivals if (why := _unclaimed(each, tasks))]
        self._send_letters(letters)
        with self._store.transaction() as transaction:
            transaction.record_event_executions(executions)
        return True

    def bury(self, identity: str | None, arrival: Arrival, reason: str) -> None:
        """Keep a message that nothing can be done about as a dead letter: it must not stop those behind it."""
        log.error("event.buried", message=arrival.message_id, reason=reason)
        given = {} if identity is None else {"event": identity}
        self._send_letters([self._letter(arrival, given, reason)])

    def _send_letters(self, letters: Sequence[Message]) -> None:
        if not letters:
            return
        try:
            self._requester.with_broker(lambda broker: broker.publish(letters))
        except Unsendable as error:
            # The others have been sent, and the executions tell of these.
            log.exception("event.letter_refused", reason=str(error))

    def _tasks(
        self, identity: str | None, arrival: Arrival, handlers: Mapping[str, Sequence[EventHandler]]
    ) -> list[_Task]:
        if identity is not None:
            return [_Task(arrival=arrival, handler=handler) for handler in handlers.get(identity, ())]
        headers = arrival.delivery.message.headers
        try:
            identity = read_address(str(headers.get("event") or "")).identity
        except BadMessage:
            return []
        name, only = headers.get("handler"), headers.get("actions")
        chosen = frozenset(int(each) for each in str(only).split(",") if each.isdigit()) if only is not None else None
        return [
            _Task(arrival=arrival, handler=handler, only=chosen)
            for handler in handlers.get(identity, ())
            if name in (None, handler.name)
        ]

    def _send(self, acts: Sequence[Act]) -> dict[str, Outcome]:
        """Send the work of these acts and return what became of each, by its id."""
        outcomes = {act.id: Outcome(granted=False, code=400, message=act.fault) for act in acts if act.fault}
        left = [act for act in acts if act.work is not None]
        for _ in range(_TRIES):
            if not left:
                break
            answers = self._requester.ask_all([_asked(act.work) for act in left if act.work is not None])
            for act, answer in zip(tuple(left), answers, strict=True):
                match answer:
                    case Outcome():
                        outcomes[act.id] = answer
                        left.remove(act)
                    case NoAnswer():
                        outcomes[act.id] = Outcome(granted=False, code=503, message=str(answer))
                    case Transient():
                        raise answer
                    case _:
                        outcomes[act.id] = Outcome(granted=False, code=413, message=str(answer))
                        left.remove(act)
        return outcomes

    def _executions(self, task: _Task, reaction: Reaction, outcomes: Mapping[str, Outcome]) -> list[EventExecution]:
        handler = task.handler

        def execution(key: str, index: int, action: str | None, status: str, output: JsonObject) -> EventExecution:
            return EventExecution(
                key=key,
                handler=handler.name,
                event=handler.event,
                message_id=task.arrival.message_id,
                index=index,
                action=action,
                status=status,
                output=output,
                at=self._clock.now(),
            )

        if reaction.skipped:
            return [execution(task.act_ids()[0], 0, None, SKIPPED, {"condition": handler.condition})]
        return [
            execution(act.id, act.index, act.action, _status(outcomes[act.id]), _output(act, outcomes[act.id]))
            for act in reaction.acts
        ]

    def _letters(self, task: _Task, reaction: Reaction, outcomes: Mapping[str, Outcome]) -> list[Message]:
        """Return the dead letter that keeps a message for the actions that failed, if there are any."""
        failed = [act for act in reaction.acts if not outcomes[act.id].granted]
        if not failed:
            return []
        reasons = "; ".join(f"{act.action}: {outcomes[act.id].message}" for act in failed)
        log.warning("event.failed", handler=task.handler.name, message=task.arrival.message_id, reason=reasons)
        again: dict[str, Json] = {
            "event": task.handler.event,
            "handler": task.handler.name,
            "actions": ",".join(str(act.index) for act in failed),
        }
        reason = f"Event handler {task.handler.name} of {task.handler.event}: {reasons}"
        return [self._letter(task.arrival, again, reason)]

    def _letter(self, arrival: Arrival, headers: Mapping[str, Json], reason: str) -> Message:
        original = arrival.delivery.message
        # Another id: under its own the message is known, and would be taken for a repetition when it is sent again.
        again = Message(
            queue=SINK_QUEUE,
            body=original.body,
            headers={**_own_headers(original), **headers},
            message_id=f"{arrival.message_id[:200]}+{new_id()}",
        )
        return bury(Delivery(message=again, queue=SINK_QUEUE), reason, self._clock.now())


def _own_headers(message: Message) -> dict[str, Json]:
    """Return the headers of ours that a message has; a stranger's may be of any kind and size."""
    return {name: message.headers[name] for name in ("event", "handler", "actions") if name in message.headers}


def _unclaimed(arrival: Arrival, tasks: Sequence[_Task]) -> str | None:
    """Return why a message of the engine's own queue has to be kept although no handler has taken it, if it has to.

    An announcement that nobody listens to is none of those.
    """
    headers = arrival.delivery.message.headers
    try:
        read_address(str(headers.get("event") or ""))
    except BadMessage as error:
        return f"The header 'event' says no event: {error}"
    if "handler" in headers and not any(task.arrival is arrival for task in tasks):
        return f"The event handler {headers['handler']} of {headers['event']} is gone or not active"
    return None


def _by_identity(handlers: Sequence[EventHandler]) -> dict[str, list[EventHandler]]:
    found: dict[str, list[EventHandler]] = defaultdict(list)
    for handler in handlers:
        if handler.active:
            found[read_listened(handler.event).identity].append(handler)
    return found


def _first_of_each(tasks: Sequence[_Task]) -> list[_Task]:
    """Leave out messages that came twice in one batch."""
    return list({(task.handler.name, task.arrival.message_id): task for task in reversed(tasks)}.values())[::-1]


def _asked(work: Work) -> Work:
    """Return what is sent: a start is a message of its own each time, and the run's id tells that it is the same."""
    return replace(work, event_id=new_id()) if isinstance(work, StartWorkflow) else work


def _status(outcome: Outcome) -> str:
    return COMPLETED if outcome.granted else FAILED


def _output(act: Act, outcome: Outcome) -> JsonObject:
    if not outcome.granted:
        return {"error": outcome.message}
    of_work = {"workflowId": act.work.workflow_id} if act.work is not None else {}
    return {**of_work, **{name: outcome.result[name] for name in _KEPT if name in outcome.result}}
