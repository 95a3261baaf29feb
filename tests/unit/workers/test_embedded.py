"""Embedded workers: every end of a task is answered, priorities and retries hold, and stopping loses nothing."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore, Reject
from structlog.testing import capture_logs

from engine.broker.memory import MemoryBroker
from engine.errors import BadConfiguration
from engine.model.event import TaskResult
from engine.model.status import TaskStatus
from engine.wire.celery_control import CONTROL_EXCHANGE, encode_revoke
from engine.wire.celery_message import decode_result, encode_task
from engine.wire.message import Delivery, Message
from workers import TaskFailure, TerminalError
from workers.embedded import EmbeddedWorkers

REPLIES = "baton.events.0"


class Bench:
    """A broker, an app, and the engine's side of the conversation."""

    def __init__(self) -> None:
        self.hub = MemoryBroker()
        # The address leads nowhere: embedded workers must not contact any server.
        self.app = Celery("shop", broker="amqp://nowhere.invalid//", backend="rpc://", set_as_current=False)
        self.broker = self.hub.connect()
        self.broker.declare_partitions(1)
        self.broker.consume(REPLIES, 1_000)
        self.workers: EmbeddedWorkers | None = None
        self.sent = 0

    def start(self, threads: int = 2, **options: Any) -> EmbeddedWorkers:
        self.workers = EmbeddedWorkers(self.hub.connect, [self.app], threads=threads, **options)
        self.workers.start()
        return self.workers

    def send(self, name: str, /, queue: str | None = None, priority: int = 0, **inputs: Any) -> int:
        self.sent += 1
        message = encode_task(
            task_id=f"run.{self.sent}",
            name=name,
            queue=queue or name,
            input=inputs,
            workflow_id="run",
            reply_to=REPLIES,
            priority=priority,
        )
        self.broker.publish([message])
        return self.sent

    def answers(self, count: int, patience: float = 10.0) -> list[TaskResult]:
        return [decode_result(delivery) for delivery in self.deliveries(count, patience)]

    def deliveries(self, count: int, patience: float = 10.0) -> list[Delivery]:
        found: list[Delivery] = []
        deadline = time.monotonic() + patience
        while len(found) < count and time.monotonic() < deadline:
            found += self.broker.receive(count - len(found), deadline - time.monotonic())
        self.broker.ack(found)
        assert len(found) == count
        return found

    def answer(self, name: str, /, **inputs: Any) -> TaskResult:
        self.send(name, **inputs)
        return self.answers(1)[0]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    if bench.workers:
        assert bench.workers.stop()


def task(bench: Bench, run: Callable[..., Any], name: str = "shop.tasks.work", **options: Any) -> None:
    run.__name__ = "work"  # Celery makes source text of it, which lambdas do not survive.
    bench.app.task(name=name, shared=False, **options)(run)


def test_a_task_is_called_by_its_short_name_and_answers_with_its_output(bench: Bench) -> None:
    task(bench, lambda path: {"path": path})
    bench.start()
    result = bench.answer("work", path="a.jpg")
    assert (result.status, result.output) == (TaskStatus.COMPLETED, {"path": "a.jpg"})
    assert (result.workflow_id, result.seq) == ("run", 1)
    assert str(result.worker).startswith("embedded@")


def test_inputs_that_the_function_does_not_take_are_dropped(bench: Bench) -> None:
    task(bench, lambda path: path)
    bench.start()
    assert bench.answer("work", path="a", self=1, colour="red").output == {"result": "a"}


def test_only_inputs_that_somebody_wrote_are_warned_of(bench: Bench) -> None:
    task(bench, lambda path: path)
    bench.start()
    with capture_logs() as lines:
        assert bench.answer("work", path="a", __index=3).output == {"result": "a"}
        assert lines == []
        assert bench.answer("work", path="a", __index=3, colour="red").output == {"result": "a"}
    assert [line["inputs"] for line in lines] == [["colour"]]


def test_a_function_that_wants_the_index_of_its_branch_gets_it(bench: Bench) -> None:
    def work(__index: int) -> int:
        return __index

    task(bench, work)
    bench.start()
    assert bench.answer("work", __index=3).output == {"result": 3}


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_the_log_says_that_a_task_succeeded_only_to_who_looks_and_never_its_result(
    bench: Bench, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    task(bench, lambda password: {"token": password * 2})
    with caplog.at_level(level):
        bench.start()
        assert bench.answer("work", password="secret").output == {"token": "secretsecret"}
        assert bench.workers is not None
        assert bench.workers.stop()
    assert "secret" not in caplog.text
    assert ("Task shop.tasks.work[run.1] succeeded in" in caplog.text) is (level == logging.DEBUG)


def test_a_function_with_keywords_gets_every_input(bench: Bench) -> None:
    task(bench, lambda **inputs: inputs)
    bench.start()
    assert bench.answer("work", path="a", colour="red").output == {"path": "a", "colour": "red"}


def test_a_task_class_with_a_call_of_its_own_is_called(bench: Bench) -> None:
    class Counted(bench.app.Task):
        def __call__(self, *args: Any, **inputs: Any) -> Any:
            return {"id": self.request.id, "given": super().__call__(*args, **inputs)}

    task(bench, lambda path: path, base=Counted)
    bench.start()
    assert bench.answer("work", path="a", colour="red", self=1).output == {"id": "run.1", "given": "a"}


def test_a_missing_input_is_terminal_and_named(bench: Bench) -> None:
    task(bench, lambda path, width: None)
    bench.start()
    result = bench.answer("work", path="a")
    assert result.status is TaskStatus.FAILED_WITH_TERMINAL_ERROR
    assert "width" in str(result.reason)


class LocalError(TerminalError):
    """A kind of terminal error."""


@pytest.mark.parametrize(
    ("error", "status", "reason", "output"),
    [
        (ValueError("no such file"), TaskStatus.FAILED, "ValueError: no such file", None),
        (TerminalError("gone"), TaskStatus.FAILED_WITH_TERMINAL_ERROR, "gone", {}),
        (LocalError("gone"), TaskStatus.FAILED_WITH_TERMINAL_ERROR, "gone", {}),
        (TaskFailure("busy", {"code": 503}), TaskStatus.FAILED, "busy", {"code": 503}),
        (TaskFailure("busy", {}, terminal=True), TaskStatus.FAILED_WITH_TERMINAL_ERROR, "busy", {}),
        (SystemExit(3), TaskStatus.FAILED, "The task called sys.exit(3)", {}),
        (MemoryError("much"), TaskStatus.FAILED, "The task ran out of memory: MemoryError: much", {}),
        (Reject("not today", requeue=False), TaskStatus.FAILED, "Reject: not today", {}),
    ],
    ids=repr,
)
def test_every_exception_ends_the_task(
    bench: Bench, error: BaseException, status: TaskStatus, reason: str, output: dict[str, Any] | None
) -> None:
    def fail() -> None:
        raise error

    task(bench, fail)
    bench.start()
    result = bench.answer("work")
    assert (result.status, result.reason) == (status, reason)
    if output is None:
        assert "in fail" in result.output["traceback"]
    else:
        assert result.output == output


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (float("nan"), "JSON"),
        ("\ud800", "surrogate"),
        (object(), "JSON serializable"),
        ("x" * 11_000_000, "10,485,760"),
    ],
    ids=["NaN", "surrogate", "object", "large"],
)
def test_a_result_that_cannot_be_sent_is_an_ordinary_failure(bench: Bench, value: Any, named: str) -> None:
    task(bench, lambda: {"value": value})
    bench.start()
    result = bench.answer("work")
    assert result.status is TaskStatus.FAILED
    assert named in str(result.reason)


def test_progress_comes_before_the_end(bench: Bench) -> None:
    def work(self: Any) -> str:
        self.update_state(state="PROGRESS", meta={"done": 1})
        return "end"

    task(bench, work, bind=True)
    bench.start()
    bench.send("work")
    progress, end = bench.answers(2)
    assert (progress.status, progress.output) == (TaskStatus.IN_PROGRESS, {"done": 1})
    assert end.output == {"result": "end"}


def test_a_task_that_takes_its_time_gives_a_sign_of_life(bench: Bench) -> None:
    release = threading.Event()
    task(bench, lambda: release.wait(10))
    bench.start()
    bench.send("work")
    (started,) = bench.answers(1)
    release.set()
    assert (started.status, started.heartbeat) == (TaskStatus.IN_PROGRESS, True)
    assert str(started.worker).startswith("embedded@")
    assert bench.answers(1)[0].status is TaskStatus.COMPLETED


def test_a_celery_retry_runs_the_task_again_after_its_delay(bench: Bench) -> None:
    runs: list[tuple[int, float, str]] = []

    def work(self: Any, path: str) -> str:
        runs.append((self.request.retries, time.monotonic(), path))
        if self.request.retries < 2:
            raise self.retry(countdown=0.1, exc=ValueError("not yet"))
        return "end"

    task(bench, work, bind=True)
    bench.start()
    bench.send("work", path="a")
    first, second, end = bench.answers(3)
    assert (first.heartbeat, second.heartbeat, end.status) == (True, True, TaskStatus.COMPLETED)
    assert [(retries, path) for retries, _, path in runs] == [(0, "a"), (1, "a"), (2, "a")]
    assert all(later[1] - earlier[1] >= 0.1 for earlier, later in itertools.pairwise(runs))


def test_retries_that_are_used_up_fail_with_the_original_error(bench: Bench) -> None:
    def work() -> None:
        raise ValueError("never")

    task(bench, work, autoretry_for=(ValueError,), max_retries=1, default_retry_delay=0, retry_backoff=False)
    bench.start()
    bench.send("work")
    # Celery sends the retry before it reports it: without a delay, the second run may end first.
    end, heartbeat = sorted(bench.answers(2), key=lambda answer: answer.heartbeat)
    assert heartbeat.heartbeat
    assert (end.status, end.reason) == (TaskStatus.FAILED, "ValueError: never")


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
        free.wait(10)

    task(bench, work)
    workers = bench.start(threads=1)
    revoke = workers.revoke
    workers.revoke = lambda task_id: (revoke(task_id), told.set())  # type: ignore[method-assign]
    for turn in ("first", "second"):
        bench.send("work", turn=turn)
    strange = [Message(exchange=CONTROL_EXCHANGE, queue="", body=body) for body in (b"x", b"[]", b'{"method":"ping"}')]
    bench.broker.publish([*strange, encode_revoke("run.2")])
    assert told.wait(10)
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
        release.wait(10)

    task(bench, work)
    workers = bench.start(threads=1)
    bench.send("work")
    assert entered.wait(10)
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
