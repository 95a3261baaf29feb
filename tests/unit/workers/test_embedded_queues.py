"""Embedded workers: priorities and retries hold, broadcasts are heard, and stopping loses nothing."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject

from engine.errors import BadConfiguration
from engine.model.status import TaskStatus
from engine.wire.celery_control import CONTROL_EXCHANGE, encode_revoke
from engine.wire.celery_message import encode_task
from engine.wire.message import Message
from tests.unit.workers.bench import REPLIES, Bench, task
from workers.embedded import EmbeddedWorkers


def test_urgent_tasks_go_first(bench: Bench) -> None:
    order: list[int] = []
    task(bench, lambda number: order.append(number))
    for number, priority in enumerate([0, 0, 5, 9]):
        bench.send("work", priority=priority, number=number)
    bench.start(threads=1)
    bench.answers(4)
    assert order == [3, 2, 0, 1]


def test_an_ignored_task_is_silent_and_the_next_one_runs(bench: Bench) -> None:
    def work(ignore: bool) -> None:
        if ignore:
            raise Ignore

    task(bench, work)
    bench.start(threads=1)
    bench.send("work", ignore=True)
    bench.send("work", ignore=False)
    assert bench.answers(1)[0].seq == 2


def test_a_rejected_task_that_asks_for_it_runs_again_and_says_so_at_once(bench: Bench) -> None:
    seen: list[bool] = []

    def work(self: Any) -> None:
        seen.append(self.request.delivery_info["redelivered"])
        if not seen[-1]:
            raise Reject(requeue=True)

    task(bench, work, bind=True)
    bench.start()
    bench.send("work")
    started, end = bench.answers(2)
    assert (started.heartbeat, end.status) == (True, TaskStatus.COMPLETED)
    assert seen == [False, True]


def test_a_revoked_task_is_not_run(bench: Bench) -> None:
    ran: list[int] = []
    task(bench, lambda: ran.append(1))
    workers = EmbeddedWorkers(bench.hub.connect, [bench.app], threads=1)
    bench.workers = workers
    bench.send("work")
    workers.revoke("run.1")
    workers.start()
    result = bench.answers(1)[0]
    assert (result.status, result.reason, ran) == (TaskStatus.FAILED, "revoked", [])


def test_a_broadcast_revokes_a_task_and_other_broadcasts_do_no_harm(bench: Bench) -> None:
    ran: list[str] = []
    free, told = threading.Event(), threading.Event()

    def work(turn: str) -> None:
        ran.append(turn)
        free.wait(60)

    task(bench, work)
    workers = bench.start(threads=1)
    revoke = workers.revoke
    workers.revoke = lambda task_id: (revoke(task_id), told.set())  # type: ignore[method-assign]
    for turn in ("first", "second"):
        bench.send("work", turn=turn)
    strange = [Message(exchange=CONTROL_EXCHANGE, queue="", body=body) for body in (b"x", b"[]", b'{"method":"ping"}')]
    bench.broker.publish([*strange, encode_revoke("run.2")])
    assert told.wait(60)
    free.set()
    assert [(each.seq, each.status) for each in bench.answers(2)] == [(1, "COMPLETED"), (2, "FAILED")]
    assert ran == ["first"]


def test_a_message_for_an_unknown_task_fails_it_for_good(bench: Bench) -> None:
    task(bench, lambda: None)
    bench.start()
    bench.send("elsewhere", queue="work")
    assert bench.answers(1)[0].status is TaskStatus.FAILED_WITH_TERMINAL_ERROR


@pytest.mark.parametrize("body", [b"garbage", b"[]", b"[[], [], {}]", b'{"a": 1}', b"[1]"])
def test_a_message_that_cannot_be_read_fails_its_task(bench: Bench, body: bytes) -> None:
    import msgspec

    task(bench, lambda: None)
    bench.start()
    message = encode_task(task_id="run.1", name="work", queue="work", input={}, workflow_id="run", reply_to=REPLIES)
    bench.broker.publish([msgspec.structs.replace(message, body=body)])
    result = bench.answers(1)[0]
    assert (result.status, result.seq) == (TaskStatus.FAILED, 1)


def test_a_domain_has_queues_of_its_own(bench: Bench) -> None:
    task(bench, lambda: 1)
    workers = bench.start(domain="eu")
    assert workers.queues == ("eu:work",)
    bench.send("work", queue="eu:work")
    assert bench.answers(1)[0].output == {"result": 1}


def test_two_tasks_with_one_short_name_are_refused(bench: Bench) -> None:
    task(bench, lambda: 1, name="shop.a.work")
    task(bench, lambda: 1, name="shop.b.work")
    with pytest.raises(BadConfiguration, match=r"shop\.a\.work.*shop\.b\.work"):
        EmbeddedWorkers(bench.hub.connect, [bench.app])


def test_a_broken_connection_is_mended(bench: Bench) -> None:
    task(bench, lambda: 1)
    bench.start(threads=1)
    assert bench.answer("work").status is TaskStatus.COMPLETED
    bench.hub.disconnect()
    bench.broker.reconnect()
    assert bench.answer("work").status is TaskStatus.COMPLETED


def test_broadcasts_are_heard_again_after_the_broker_went_away(bench: Bench) -> None:
    told = threading.Event()
    task(bench, lambda: 1)
    workers = bench.start(threads=1)
    workers.revoke = lambda task_id: told.set()  # type: ignore[method-assign, misc]
    bench.hub.disconnect()
    bench.broker.reconnect()
    while not told.wait(0.05):
        bench.broker.publish([encode_revoke("run.1")])


def test_stopping_waits_for_what_runs_and_leaves_the_rest(bench: Bench) -> None:
    entered, release = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        release.wait(60)

    task(bench, work)
    workers = bench.start(threads=1)
    bench.send("work")
    assert entered.wait(60)
    bench.send("work")
    threading.Timer(0.05, release.set).start()
    assert workers.stop()
    assert bench.answers(1)[0].seq == 1
    assert bench.broker.ready("work") == 1


def test_the_app_is_left_as_it_was(bench: Bench) -> None:
    task(bench, lambda: 1)
    served = bench.app.tasks["shop.tasks.work"]
    before, of_class = dict(served.__dict__), type(served)
    workers = bench.start()
    assert type(served) is not of_class
    assert workers.stop()
    assert (served.__dict__, type(served)) == (before, of_class)
    assert sys.exc_info() == (None, None, None)


def test_other_peoples_calls_are_not_touched(bench: Bench) -> None:
    def work(path: str) -> None:
        sys.exit(3)

    task(bench, work)
    bench.start()
    with pytest.raises(SystemExit):
        bench.app.tasks["shop.tasks.work"](path="a")
    with pytest.raises(TypeError):
        bench.app.tasks["shop.tasks.work"](path="a", colour="red")
