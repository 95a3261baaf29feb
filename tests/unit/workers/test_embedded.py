"""Embedded workers: a task is called as it wants to be, and every end of it is answered."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import Any

import pytest
from celery.exceptions import Reject
from structlog.testing import capture_logs

from engine.model.status import TaskStatus
from tests.unit.workers.bench import Bench, task
from workers import TaskFailure, TerminalError


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
    task(bench, lambda: release.wait(60))
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
