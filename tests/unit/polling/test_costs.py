"""What a task costs that workers poll for, counted: messages, publications, the decider's batches, calls of Python."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from engine.api.worker_calls import WorkerCalls
from engine.api.worker_lane import WorkerLane
from engine.broker.memory import MemoryConnection
from engine.polling.distributor import Distributor
from engine.wire.message import Delivery, Message
from tests.profiled import profiled

from .conftest import PARTITIONS, Site, opened
from .waiting import until

#: Tasks that are done one after the other while it is counted.
_TASKS = 5

#: Calls of Python functions that the short way makes for a poll, the poll itself left out.
_CALLS_OF_THE_LANE = 60


class _Counted:
    """A connection that counts what is asked of it."""

    def __init__(self, connection: MemoryConnection, told: Counter[str]) -> None:
        self._connection = connection
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def publish(self, messages: Sequence[Message]) -> None:
        self._told.update(publications=1, messages=len(messages))
        self._connection.publish(messages)

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        self._told.update(fetches=1)
        return self._connection.fetch(queue, limit)

    def consume(self, queue: str, prefetch: int) -> None:
        self._told.update(consumers=1)
        self._connection.consume(queue, prefetch)


class _CountedSite(Site):
    """A site of which it is counted what its polls ask of the broker, and what comes to the decider."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        super().__init__()

    def distribute(self) -> Distributor:
        return Distributor(lambda: _Counted(self.hub.connect(), self.told), PARTITIONS, back_off_seconds=0.01)

    def batches(self) -> int:
        assert self.road is not None
        assert self.road.executor is not None
        return self.road.executor.counts.batches


@pytest.fixture(scope="module")
def shared_counted() -> Iterator[_CountedSite]:
    with opened(_CountedSite()) as site:
        yield site


@pytest.fixture
def counted(shared_counted: _CountedSite) -> _CountedSite:
    """Return a site with a kind of task that no other test has."""
    shared_counted.define()
    return shared_counted


def test_a_report_and_the_question_for_the_next_task_are_one_publication_and_one_batch(counted: _CountedSite) -> None:
    for _ in range(_TASKS + 1):
        counted.start()
    (task,) = counted.poll(wait_ms=5000)
    before = counted.batches()
    counted.told.clear()
    for _ in range(_TASKS):
        task = counted.report(task, way="/update-v2").json()
    assert counted.told == {"publications": _TASKS, "messages": 2 * _TASKS, "fetches": _TASKS}
    assert counted.batches() - before == _TASKS


def test_a_batch_of_tasks_is_one_publication_and_one_batch(counted: _CountedSite) -> None:
    for _ in range(_TASKS):
        counted.start()
    until(lambda: counted.hub.queues[counted.kind].length == _TASKS)
    before = counted.batches()
    counted.told.clear()
    assert len(counted.poll(count=50)) == _TASKS
    assert counted.told == {"publications": 1, "messages": _TASKS, "fetches": 1}
    assert counted.batches() - before == 1


def test_a_report_alone_is_one_message(counted: _CountedSite) -> None:
    counted.start()
    (task,) = counted.poll(wait_ms=5000)
    counted.told.clear()
    assert counted.report(task).text == task["taskId"]
    assert counted.told == {"publications": 1, "messages": 1}


class _AtOnce(WorkerCalls):
    """Calls whose answers are there at once."""

    def __init__(self) -> None:
        return

    async def poll_batch(self, *_: object, **__: object) -> Response:
        return Response(b"[]", media_type="application/json")


def test_the_framework_has_no_part_in_a_poll() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("a poll that is in order went the long way")

    async def receive() -> AsgiMessage:
        raise AssertionError("a poll has no body")

    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    lane = WorkerLane(nothing, _AtOnce())
    scope = _scope("/api/tasks/poll/batch/resize", b"workerid=w1&count=10&timeout=100")

    async def calls() -> int:
        await lane(scope, receive, send)
        found = Counter[str]()
        with profiled(lambda _frame, event, _: found.update({event: 1})):
            await lane(scope, receive, send)
        return found["call"]

    assert asyncio.run(calls()) <= _CALLS_OF_THE_LANE
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"]) == []


def _scope(path: str, query: bytes) -> Mapping[str, Any]:
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"*/*"), (b"user-agent", b"conductor")]
    return {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers}
