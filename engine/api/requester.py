"""Asks the deciders and waits for their answers: RPC over the broker, for doors that must answer at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import TypeVar

from msgspec.structs import replace

from engine.api.asker import asker
from engine.broker.connection_thread import IDLE_SECONDS, ConnectionThread
from engine.broker.port import Broker, OpenBroker, Unsendable
from engine.broker.topology import REPLY_PREFIX
from engine.errors import BadMessage, BatonError, BrokerUnavailable, NotFound, Permanent, Transient
from engine.identifier import new_id
from engine.model.event import StartWorkflow, Wake
from engine.model.execution import WORKFLOW_ID
from engine.model.request import Outcome, Request
from engine.wire.message import Message
from engine.wire.partition import queue_of
from engine.wire.request_message import decode_outcome, encode_request, encode_wake
from engine.wire.start_message import encode_start

_T = TypeVar("_T")
_Sent = TypeVar("_Sent", bound=StartWorkflow | Request)

_SHUTTING_DOWN = "The server is shutting down: send the request again in a moment."


class NoAnswer(Transient):
    """No decider answered in time; the request may still be carried out."""


class Unanswered(Transient):
    """Nobody knows yet whether a run has begun; the same start with its id begins it once."""

    def __init__(self, workflow_id: str, error: Transient) -> None:
        self.workflow_id = workflow_id
        super().__init__(
            f"{error} Whether workflow {workflow_id} has begun is not known: look for it in a moment, or start it "
            f'again with "workflowId": "{workflow_id}", or with the same idempotencyKey; it begins once.'
        )


class TooLarge(Permanent):
    """The broker refuses the message."""


class _Ask:
    """A message on its way out and who waits for the answer."""

    __slots__ = ("answer", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.answer: Future[Outcome] = Future()


class _Job:
    """Something to do with the connection, and how to tell its owner that it cannot be done."""

    __slots__ = ("do", "fail")

    def __init__(self, do: Callable[[], None], fail: Callable[[BrokerUnavailable], None]) -> None:
        self.do = do
        self.fail = fail


class Requester:
    """One broker connection with a thread of its own, shared by every caller in this process.

    ``timeout_seconds`` is how long a caller waits for an answer, ``back_off_seconds`` the pause between attempts to
    reach a broker that is away.
    """

    def __init__(
        self,
        open_broker: OpenBroker,
        partitions: int,
        *,
        timeout_seconds: float = 10.0,
        back_off_seconds: float = 1.0,
    ) -> None:
        #: How others reach the same broker.
        self.open_broker = open_broker
        self._broker = open_broker()
        self._partitions = partitions
        self._timeout_seconds = timeout_seconds
        self._queue = REPLY_PREFIX + new_id()
        self._lock = threading.Lock()
        self._outgoing: deque[_Ask] = deque()
        self._jobs: deque[_Job] = deque()
        self._waiting: dict[str, _Ask] = {}
        self._lost: BrokerUnavailable | None = None
        self._thread = ConnectionThread(
            "requester",
            self._broker,
            connect=self._connect,
            turn=self._turn,
            lost=self._give_up,
            ended=self._end,
            back_off_seconds=back_off_seconds,
        )

    def start(self) -> None:
        """Begin to send and to listen; a broker that is away is waited for."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and tell everybody who still waits."""
        self._thread.close()

    def ask(self, event: StartWorkflow | Request) -> Outcome:
        """Send a start or a request to the partition of its workflow and return the decider's answer.

        Raises ``NoAnswer`` after the time limit, ``BrokerUnavailable`` when the connection is lost meanwhile and
        ``TooLarge`` when the broker refuses the message.
        """
        (answer,) = self.ask_all([event])
        if isinstance(answer, BatonError):
            raise answer
        return answer

    def ask_all(self, events: Sequence[StartWorkflow | Request]) -> list[Outcome | BatonError]:
        """Send several and wait for all their answers together, within one time limit.

        Returns for each, in their order, the answer or what ``ask`` would have raised.
        """
        addressed = [replace(signed(event), reply_to=self._queue, reply_id=new_id()) for event in events]
        asks = {str(event.reply_id): _Ask(self._encode(event)) for event in addressed}
        for event in addressed:
            try:
                expect_possible(event.workflow_id)
            except NotFound as error:
                asks[str(event.reply_id)].answer.set_exception(error)
        with self._lock:
            self._check()
            self._waiting.update(asks)
            self._outgoing.extend(ask for ask in asks.values() if not ask.answer.done())
        self._broker.interrupt()
        until = time.monotonic() + self._timeout_seconds
        try:
            return [self._answer(ask, until) for ask in asks.values()]
        finally:
            with self._lock:
                for reply_id in asks:
                    self._waiting.pop(reply_id, None)

    def _answer(self, ask: _Ask, until: float) -> Outcome | BatonError:
        try:
            return ask.answer.result(max(0.0, until - time.monotonic()))
        except NotInTime:
            return no_answer(ask.message.queue, self._timeout_seconds)
        except BatonError as error:
            return error

    def with_broker(self, work: Callable[[Broker], _T]) -> _T:
        """Return what ``work`` returns when called with the connection, in its thread; for looking at queues."""
        result: Future[_T] = Future()

        def do() -> None:
            try:
                result.set_result(work(self._broker))
            except BrokerUnavailable as error:
                result.set_exception(error)
                raise
            except BatonError as error:
                result.set_exception(error)

        with self._lock:
            self._check()
            self._jobs.append(_Job(do, result.set_exception))
        self._broker.interrupt()
        try:
            return result.result(self._timeout_seconds)
        except NotInTime:
            raise NoAnswer(f"The broker did not answer within {self._timeout_seconds:g} s: try again.") from None

    def send(self, events: Sequence[StartWorkflow | Request | Wake]) -> None:
        """Send several and return once the broker has confirmed them; nobody waits for what the deciders answer.

        Raises ``BrokerUnavailable``, ``NoAnswer`` or ``TooLarge`` when some of them may not have arrived.
        """
        messages = [self._encode(event) for event in events]
        try:
            self.with_broker(lambda broker: broker.publish(messages))
        except Unsendable as error:
            raise TooLarge(f"The broker refuses the message: {error}") from None

    @property
    def timeout_seconds(self) -> float:
        """How long a caller waits for an answer."""
        return self._timeout_seconds

    @property
    def partitions(self) -> int:
        """The number of partitions."""
        return self._partitions

    @property
    def lost(self) -> BrokerUnavailable | None:
        """Why the broker cannot be reached just now, or None."""
        return self._lost

    def _check(self) -> None:
        if self._thread.is_stopping:
            raise BrokerUnavailable(_SHUTTING_DOWN)
        if self._lost is not None:
            raise self._lost

    def _encode(self, event: StartWorkflow | Request | Wake) -> Message:
        match event:
            case StartWorkflow():
                return encode_start(event, queue_of(event.workflow_id, self._partitions))
            case Wake():
                return encode_wake(event, self._partitions)
            case Request():
                return encode_request(event, self._partitions)

    def _connect(self) -> None:
        self._broker.declare_replies(self._queue)
        self._broker.consume(self._queue, prefetch=1000)
        self._lost = None

    def _end(self, connected: bool) -> None:
        self._give_up(BrokerUnavailable(_SHUTTING_DOWN))

    def _turn(self) -> None:
        """Send what is to be sent, do what is to be done, then hand out answers as they come."""
        with self._lock:
            asks = list(self._outgoing)
            self._outgoing.clear()
        self._publish(asks)
        while self._jobs:
            self._jobs.popleft().do()
        deliveries = self._broker.receive(1000, IDLE_SECONDS)
        for delivery in deliveries:
            ask = self._waiting.get(delivery.message.correlation_id or "")
            if ask is None or ask.answer.done():
                continue
            try:
                ask.answer.set_result(decode_outcome(delivery))
            except BadMessage as error:
                ask.answer.set_exception(error)
        self._broker.ack(deliveries)

    def _publish(self, asks: list[_Ask]) -> None:
        if not asks:
            return
        try:
            self._broker.publish([ask.message for ask in asks])
        except Unsendable as error:
            refused = {id(message): reason for message, reason in error.faults}
            for ask in asks:
                if id(ask.message) in refused:
                    ask.answer.set_exception(TooLarge(f"The broker refuses the request: {refused[id(ask.message)]}"))

    def _give_up(self, error: BrokerUnavailable) -> None:
        """Tell everybody who waits that no answer can come any more: the reply queue went with the connection."""
        self._lost = error
        with self._lock:
            waiting, jobs = list(self._waiting.values()), list(self._jobs)
            self._outgoing.clear()
            self._jobs.clear()
        for ask in waiting:
            if not ask.answer.done():
                ask.answer.set_exception(error)
        for job in jobs:
            job.fail(error)


def signed(event: _Sent) -> _Sent:
    """Return a request with the name of whoever asks, where that is known."""
    return replace(event, by=asker.get()) if isinstance(event, Request) and event.by is None else event


def expect_possible(workflow_id: str) -> None:
    """Raise ``NotFound`` for an id that no run can have: a decider could not even read the message."""
    if not WORKFLOW_ID.fullmatch(workflow_id):
        raise NotFound(f"No workflow has the id {workflow_id[:200]!r}.")


def no_answer(queue: str, seconds: float) -> NoAnswer:
    """Return that no decider has answered in so many seconds what was sent to this queue."""
    return NoAnswer(
        f"No decider answered within {seconds:g} s. The request stays in the queue {queue!r} and is carried out as "
        "soon as one runs: start one with 'baton decider'."
    )
