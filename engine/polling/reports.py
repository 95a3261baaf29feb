"""What workers say about their tasks, on its way to the road together with the questions for new ones."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from itertools import count

from msgspec.structs import replace

from engine.broker.port import Unsendable
from engine.errors import BatonError
from engine.model.request import Outcome, Request
from engine.wire.message import Message
from engine.wire.request_message import encode_request

#: Tasks that were handed out and of which the queue is remembered.
_MOST_REMEMBERED = 20_000


class _Report:
    """A report, and who waits for what the road says of it."""

    __slots__ = ("message", "outcome")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.outcome: Future[Outcome] = Future()


class Reports:
    """The reports that go out with the next publication, and those that the road has not spoken about."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._outgoing: deque[_Report] = deque()
        self._waiting: dict[str, _Report] = {}
        #: A number is enough: the queue that the answers come to is this process's own.
        self._numbers = count(1)

    def add(self, request: Request, reply_to: str) -> Future[Outcome]:
        """Let a report go out; the road's answer comes to the queue ``reply_to``."""
        reply_id = f"r{next(self._numbers)}"
        report = _Report(encode_request(replace(request, reply_to=reply_to, reply_id=reply_id), self._partitions))
        self._waiting[reply_id] = report
        # Whoever waits no longer, because no decider has answered in time, leaves nothing behind.
        report.outcome.add_done_callback(lambda _: self._waiting.pop(reply_id, None))
        self._outgoing.append(report)
        return report.outcome

    def __len__(self) -> int:
        """Return how many have to go out."""
        return len(self._outgoing)

    @property
    def unanswered(self) -> int:
        """How many outcomes are waited for."""
        return len(self._waiting)

    def take(self) -> list[Message]:
        """Return, once, the messages that have to go out."""
        return [self._outgoing.popleft().message for _ in range(len(self._outgoing))]

    def settle(self, reply_id: str, outcome: Outcome) -> None:
        """Tell whoever waits what the road has said."""
        report = self._waiting.pop(reply_id, None)
        if report is not None and report.outcome.set_running_or_notify_cancel():
            report.outcome.set_result(outcome)

    def refuse(self, faults: Sequence[tuple[Message, str]]) -> None:
        """Tell those whose reports the broker will never take, by ``Unsendable``."""
        refused = {id(message): (message, reason) for message, reason in faults}
        for report in tuple(self._waiting.values()):
            if id(report.message) in refused:
                _fail([report], Unsendable([refused[id(report.message)]]))

    def fail(self, error: BatonError) -> None:
        """Tell everybody that no outcome will come any more: the connection is gone, and its reply queue with it."""
        self._outgoing.clear()
        _fail(tuple(self._waiting.values()), error)


def _fail(reports: Iterable[_Report], error: BatonError) -> None:
    for report in reports:
        if report.outcome.set_running_or_notify_cancel():
            report.outcome.set_exception(error)


class Origins:
    """From which queue tasks were handed out, as far as they were not reported on yet; bounded, the oldest go first."""

    def __init__(self, most: int = _MOST_REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._queues: OrderedDict[str, str] = OrderedDict()

    def note(self, task_id: str, queue: str) -> None:
        """Remember where a task came from."""
        with self._lock:
            self._queues[task_id] = queue
            if len(self._queues) > self._most:
                self._queues.popitem(last=False)

    def take(self, task_id: str) -> str | None:
        """Return, once, where a task came from; None where that is not known here."""
        with self._lock:
            return self._queues.pop(task_id, None)
