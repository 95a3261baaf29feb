"""Hands out tasks: one broker connection on which polls wait for messages, and ask the road for what has come."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress

from msgspec import Struct

from engine.broker.connection_thread import IDLE_SECONDS, ConnectionThread
from engine.broker.port import OpenBroker, Unsendable
from engine.broker.topology import REPLY_PREFIX
from engine.clock import SystemClock
from engine.errors import BadMessage, BrokerUnavailable, Transient
from engine.identifier import new_id
from engine.log import get_logger
from engine.model.request import Outcome, Request
from engine.polling.claim import claim, giving_back, handed_out
from engine.polling.consumers import Consumers
from engine.polling.lines import Lines
from engine.polling.poll import HandedOut, Poll
from engine.polling.refusals import Refusals
from engine.polling.reports import Origins, Reports
from engine.wire.dead_letter import bury
from engine.wire.message import Delivery, Message
from engine.wire.request_message import decode_outcome, encode_request

_log = get_logger(__name__)

#: Polls that wait in one server; each is a connection that the server keeps open.
_MOST_POLLS = 10_000

#: Messages that one look at the connection takes.
_MOST_AT_ONCE = 1000

_SHUTTING_DOWN = "The server is shutting down: poll again in a moment."


class TooManyPolls(Transient):
    """As many polls wait in this server as it lets wait."""


class NotDecided(Transient):
    """No decider has said in time whether a task may be handed out."""


class _Claim(Struct):
    """A message in hand, for whom the road was asked for it, and since when (monotonic seconds)."""

    poll: Poll
    delivery: Delivery
    since: float


class Distributor:
    """One broker connection with a thread of its own, shared by every poll in this process.

    A message leaves its queue only while a poll waits for it, and is acked once the road has put the task IN_PROGRESS
    for that poll's worker. Until then it is the broker's to deliver again, should this process die. A poll whose
    message the road says nothing about within ``patience_seconds`` is told so; the message stays in hand until the
    road has spoken, so that it is asked once.
    """

    def __init__(
        self,
        open_broker: OpenBroker,
        partitions: int,
        *,
        patience_seconds: float = 10.0,
        back_off_seconds: float = 1.0,
    ) -> None:
        self._broker = open_broker()
        self._partitions = partitions
        self._patience_seconds = patience_seconds
        self._replies = REPLY_PREFIX + new_id()
        self._lock = threading.Lock()
        self._arriving: deque[Poll] = deque()
        self._leaving: deque[Poll] = deque()
        self._returned: deque[HandedOut] = deque()
        self._lines = Lines()
        self._refusals = Refusals()
        self._consumers = Consumers(self._broker, self._refusals)
        self._claims: dict[str, _Claim] = {}
        self._reports = Reports(partitions)
        self._origins = Origins()
        self._lost: BrokerUnavailable | None = None
        self._resting = False
        self._thread = ConnectionThread(
            "distributor",
            self._broker,
            connect=self._connect,
            turn=self._turn,
            lost=self._on_loss,
            ended=self._end,
            back_off_seconds=back_off_seconds,
        )

    def start(self) -> None:
        """Begin to hand out; a broker that is away is waited for."""
        self._thread.start()

    def rest(self) -> None:
        """Let nobody wait any more: polls get what there is at once, and a server that ends need not wait for them."""
        self._resting = True
        self._broker.interrupt()

    def close(self) -> None:
        """Stop, and tell everybody who still waits; what is in hand goes back to its queues."""
        self._thread.close()

    def poll(self, queue: str, count: int, seconds: float, worker: str | None) -> Poll:
        """Let somebody wait for up to ``count`` tasks of a queue; the poll's answer comes as soon as there is one.

        The answer fails with ``BrokerUnavailable`` when the connection is lost meanwhile, and with ``NotDecided``.
        Raises ``BrokerUnavailable`` while there is none, ``TooManyPolls``, and ``Refused`` for a queue that the broker
        does not let us read.
        """
        poll = Poll(queue, count, time.monotonic() + seconds, worker)
        self._refusals.check(queue)
        with self._lock:
            self._check()
            if self._is_full():
                raise TooManyPolls(f"{_MOST_POLLS:,} polls wait in this server: poll again in a moment.")
            self._arriving.append(poll)
        self._broker.interrupt()
        return poll

    def origin(self, task_id: str) -> str | None:
        """Return, once, the queue of a task that this server has handed out, as far as it remembers."""
        return self._origins.take(task_id)

    def report(
        self, request: Request, next_from: str | None = None, worker: str | None = None
    ) -> tuple[Future[Outcome], Poll | None]:
        """Send what a worker says of a task; return where the outcome comes, and a poll for its next task, if any.

        What waits in the queue ``next_from`` is asked for at once, so that the road hears of both together. Whoever
        reports has to hang up that poll where the outcome is that it gets no task. The outcome fails with
        ``BrokerUnavailable`` and ``Unsendable``. Raises ``BrokerUnavailable`` while there is no connection.
        """
        poll = None
        with self._lock:
            self._check()
            outcome = self._reports.add(request, self._replies)
            if next_from is not None and not self._is_full():
                poll = Poll(next_from, 1, time.monotonic(), worker)
                self._arriving.append(poll)
        self._broker.interrupt()
        return outcome, poll

    def hang_up(self, poll: Poll) -> None:
        """End a poll that nobody waits for any more; what was taken for it goes to the next one."""
        if not poll.answer.cancel() and poll.answer.exception() is None:
            self.give_back(poll.answer.result())
        with self._lock:
            self._leaving.append(poll)
        self._broker.interrupt()

    def give_back(self, tasks: Iterable[HandedOut]) -> None:
        """Have tasks put back into their queues that nobody has got."""
        with self._lock:
            self._returned.extend(tasks)
        self._broker.interrupt()

    def _is_full(self) -> bool:
        return self._lines.length + len(self._arriving) >= _MOST_POLLS

    def _check(self) -> None:
        if self._thread.is_stopping:
            raise BrokerUnavailable(_SHUTTING_DOWN)
        if self._lost is not None:
            raise self._lost

    # the thread

    def _on_loss(self, error: BrokerUnavailable) -> None:
        self._refusals.note()
        self._give_up(error)

    def _end(self, connected: bool) -> None:
        self._give_up(BrokerUnavailable(_SHUTTING_DOWN))
        if connected:
            with suppress(BrokerUnavailable):
                self._put_back()

    def _connect(self) -> None:
        self._broker.declare_replies(self._replies)
        self._broker.consume(self._replies, prefetch=_MOST_AT_ONCE)
        self._lost = None

    def _turn(self) -> None:
        """Let polls in, take what waits for them, ask the road for it, and hand out what it grants."""
        self._put_back()
        fresh = self._let_in()
        questions = [] if self._is_kept_waiting() else self._fetch(fresh)
        self._send([*self._reported(), *questions])
        self._let_go()
        self._consumers.adjust({} if self._is_kept_waiting() else self._lines.demand())
        found = self._broker.receive(_MOST_AT_ONCE, self._pause())
        answers = [delivery for delivery in found if delivery.queue == self._replies]
        came = [delivery for delivery in found if delivery.queue != self._replies]
        self._consumers.took(came)
        self._broker.ack(answers)
        self._settle(answers)
        self._send(self._claim(came))

    def _let_in(self) -> list[str]:
        """Put new polls into their lines; return the queues that may hold something for them already."""
        with self._lock:
            arriving, leaving = list(self._arriving), list(self._leaving)
            self._arriving.clear()
            self._leaving.clear()
        for poll in arriving:
            self._lines.join(poll)
        for poll in leaving:
            self._lines.leave(poll)
        return list(dict.fromkeys(poll.queue for poll in arriving))

    def _reported(self) -> list[Message]:
        with self._lock:
            return self._reports.take()

    def _send(self, messages: Sequence[Message]) -> None:
        """Send what is for the road, all at once."""
        if not messages:
            return
        try:
            self._broker.publish(messages)
        except Unsendable as error:
            # Questions are small; what workers report may not be.
            self._reports.refuse(error.faults)

    def _fetch(self, queues: Iterable[str]) -> list[Message]:
        """Take what waits already: consuming takes longer, and is for what is yet to come; return the questions."""
        found: list[Delivery] = []
        for queue in queues:
            if not self._consumers.consumes(queue):
                with self._refusals.of(queue):
                    found += self._broker.fetch(queue, min(self._lines.wanted(queue), _MOST_AT_ONCE))
        return self._claim(found)

    def _claim(self, deliveries: Sequence[Delivery]) -> list[Message]:
        """Return what the road is to be asked: for each message whether the poll whose turn it is may have it.

        What nobody waits for any more goes back.
        """
        by_queue: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_queue.setdefault(delivery.queue, []).append(delivery)
        questions: list[Message] = []
        for queue, found in by_queue.items():
            takers = self._lines.share_out(queue, len(found))
            self._broker.reject(found[len(takers) :])
            self._consumers.settled(found[len(takers) :])
            for poll, delivery in zip(takers, found, strict=False):
                try:
                    asked = claim(delivery, poll.worker, self._replies)
                except BadMessage as error:
                    self._bury(delivery, str(error))
                    continue
                self._claims[str(asked.reply_id)] = _Claim(poll, delivery, time.monotonic())
                poll.pending += 1
                questions.append(encode_request(asked, self._partitions))
            for poll in dict.fromkeys(takers):
                self._answer_if_done(poll)
        return questions

    def _settle(self, answers: Sequence[Delivery]) -> None:
        """Do what the road has said: ack what it has spoken about, and answer the polls that wait for nothing more."""
        spoken: list[Delivery] = []
        polls: dict[Poll, None] = {}
        for answer in answers:
            reply_id, outcome = answer.message.correlation_id or "", _outcome(answer)
            asked = self._claims.pop(reply_id, None)
            if asked is None:
                self._reports.settle(reply_id, outcome)
                continue
            polls[asked.poll] = None
            spoken.append(asked.delivery)
            asked.poll.pending -= 1
            handed = handed_out(asked.delivery, outcome)
            if handed is not None:
                asked.poll.got.append(handed)
                self._origins.note(handed.task_id, asked.poll.queue)
        self._let_loose(spoken)
        for poll in polls:
            self._answer_if_done(poll)

    def _let_loose(self, deliveries: Sequence[Delivery]) -> None:
        """Ack what is done with."""
        self._broker.ack(deliveries)
        self._consumers.settled(deliveries)

    def _answer_if_done(self, poll: Poll) -> None:
        """Answer a poll once the road has spoken about all of its messages; without a task it goes on waiting."""
        if poll.pending:
            return
        if not poll.got and not poll.is_over and poll.until > time.monotonic():
            with self._lock:
                self._arriving.appendleft(poll)
            return
        self._answer(poll)

    def _answer(self, poll: Poll) -> None:
        try:
            poll.answer.set_result(poll.got)
        except (InvalidStateError, CancelledError):
            # Nobody waits any more: the next worker shall have it.
            with self._lock:
                self._returned.extend(poll.got)
        poll.got = []

    def _let_go(self) -> None:
        """Answer the polls that have waited long enough."""
        now = time.monotonic()
        kept_waiting = self._is_kept_waiting()
        for poll in self._lines.take_all() if self._resting else self._lines.take_out(now):
            if kept_waiting:
                self._fail(poll, self._not_decided())
            else:
                self._answer(poll)
        for asked in self._claims.values():
            if now - asked.since > self._patience_seconds:
                self._fail(asked.poll, self._not_decided())

    def _put_back(self) -> None:
        with self._lock:
            returned = list(self._returned)
            self._returned.clear()
        if returned:
            _log.info("tasks.given_back", count=len(returned))
            self._broker.publish([encode_request(giving_back(handed), self._partitions) for handed in returned])

    def _is_kept_waiting(self) -> bool:
        """Whether the road is silent: then nothing more is taken, for it would only lie here."""
        oldest = next(iter(self._claims.values()), None)
        return oldest is not None and time.monotonic() - oldest.since > self._patience_seconds

    def _pause(self) -> float:
        """Return how long nothing has to be done unless something comes, in seconds."""
        now = time.monotonic()
        with self._lock:
            if self._arriving or self._leaving or self._returned or self._reports:
                return 0.0
        ends = [now + IDLE_SECONDS]
        if (first := self._lines.first_end()) is not None:
            ends.append(first)
        ends += [each.since + self._patience_seconds for each in self._claims.values() if not each.poll.is_over]
        return max(0.0, min(ends) - now)

    def _bury(self, delivery: Delivery, reason: str) -> None:
        """Put what is no task of ours where somebody looks at it: a worker that polls could not carry it out."""
        _log.warning("message.buried", queue=delivery.queue, reason=reason)
        try:
            self._broker.publish([bury(delivery, reason, SystemClock().now())])
        except Unsendable as error:
            _log.error("message.unsendable", queue=delivery.queue, reason=str(error))
        self._let_loose([delivery])

    def _fail(self, poll: Poll, error: Exception) -> None:
        try:
            poll.answer.set_exception(error)
        except (InvalidStateError, CancelledError):
            return

    def _not_decided(self) -> NotDecided:
        return NotDecided(
            f"No decider has said within {self._patience_seconds:g} s whether the task may be handed out. It is kept "
            "for whoever polls when one runs: start one with 'baton decider'."
        )

    def _give_up(self, error: BrokerUnavailable) -> None:
        """Tell everybody who waits that the connection is gone; the broker delivers again what was in hand."""
        with self._lock:
            self._lost = error
            waiting = [*self._arriving]
            self._arriving.clear()
            self._leaving.clear()
        for poll in (*waiting, *self._lines.take_all(), *(each.poll for each in self._claims.values())):
            self._fail(poll, error)
        self._claims.clear()
        self._reports.fail(error)
        self._consumers.forget()


def _outcome(answer: Delivery) -> Outcome:
    try:
        return decode_outcome(answer)
    except BadMessage as error:
        _log.warning("answer.unreadable", reason=str(error))
        return Outcome(granted=False, code=500, message=str(error))
