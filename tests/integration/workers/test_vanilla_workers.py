"""Workers that import nothing but Celery: what they send back is read by the closed table of ``celery_message``.

These ends send nothing, whatever the engine does; its deadlines end them and are tested with it: ``Ignore``,
``self.replace``, ``sys.exit`` and MemoryError in a worker that is not connected, an unreadable ``eta`` or ``expires``,
a body that is no JSON or has a list for keyword arguments, a result beyond the broker's largest message, a reply
queue that is gone, another result backend, and a killed worker that acks early.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from celery import Celery

from engine.model.status import TaskStatus

if TYPE_CHECKING:
    from tests.integration.workers.conftest import Desk, Launcher

POOLS = ["prefork", "threads"]


@pytest.fixture(scope="module")
def pools(launch: Launcher) -> None:
    """Start one worker for each pool; each serves a queue of that name."""
    for pool in POOLS:
        launch.worker(pool, "-Q", pool)


@pytest.fixture(scope="module")
def shop(desk: Desk, pools: None) -> Desk:
    return desk


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("dict", {"width": 3}),
        ("none", {"result": None}),
        ("list", {"result": [1, 2]}),
        (
            "tagged",
            {
                "at": "2026-01-02T00:00:00+00:00",
                "id": "00000000-0000-0000-0000-000000000001",
                "price": "1.50",
                "raw": "/w==",
            },
        ),
    ],
)
def test_a_result_is_the_output(shop: Desk, pool: str, kind: str, output: dict[str, object]) -> None:
    result = shop.end(shop.send(pool, "shop.give", kind=kind))
    assert (result.status, result.output) == (TaskStatus.COMPLETED, output)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", "NaN"),
        ("surrogate", "surrogate"),
        ("object", "EncodeError"),
        ("circle", "EncodeError"),
        ("large", "10,485,760"),
    ],
)
def test_a_result_that_cannot_be_stored_fails_the_task(shop: Desk, pool: str, kind: str, words: str) -> None:
    result = shop.end(shop.send(pool, "shop.give", kind=kind))
    assert result.status is TaskStatus.FAILED
    assert words in str(result.reason)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("value", "ValueError: no such file"),
        ("file", "FileNotFoundError: [Errno 2] No such file or directory: 'a.jpg'"),
        ("unsendable", "Unsendable: size 3"),
        ("inner type", "TypeError: _resize() missing 1 required positional argument: 'path'"),
        ("reject", "Reject: not today"),
    ],
)
def test_an_exception_is_the_reason(shop: Desk, pool: str, kind: str, reason: str) -> None:
    result = shop.end(shop.send(pool, "shop.fail", kind=kind))
    assert (result.status, result.reason) == (TaskStatus.FAILED, reason)
    assert kind == "reject" or "shop.py" in result.output["traceback"]


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("shop.give", {"colour": "red"}, "unexpected keyword argument 'colour'"),
        ("shop.give", {}, "missing 1 required positional argument: 'kind'"),
        ("shop.tell", {"self": 1}, "multiple values for argument 'self'"),
        ("shop.nothing", {}, "no task named shop.nothing"),
    ],
)
def test_a_task_that_cannot_be_called_fails_for_good(
    shop: Desk, pool: str, name: str, inputs: dict[str, object], words: str
) -> None:
    result = shop.end(shop.send(pool, name, **inputs))
    assert result.status is TaskStatus.FAILED_WITH_TERMINAL_ERROR
    assert words in str(result.reason)


def test_a_terminal_error_fails_for_good_with_its_output(shop: Desk, pool: str) -> None:
    result = shop.end(shop.send(pool, "shop.terminal"))
    assert (result.status, result.reason) == (TaskStatus.FAILED_WITH_TERMINAL_ERROR, "no such customer")
    assert result.output == {"customer": 3}


def test_started_and_progress_come_before_the_end(shop: Desk, pool: str) -> None:
    started, progress, end = shop.answers(shop.send(pool, "shop.tell"), 3)
    assert started.heartbeat
    assert str(started.worker).endswith("@box")
    assert (progress.status, progress.output) == (TaskStatus.IN_PROGRESS, {"done": 1, "of": 2})
    assert end.output == {"result": "end"}


def test_a_task_that_ignores_results_answers_all_the_same(shop: Desk, pool: str) -> None:
    assert shop.end(shop.send(pool, "shop.silent")).output == {"result": "heard"}


def test_a_celery_retry_is_a_heartbeat_and_the_same_attempt(shop: Desk, pool: str) -> None:
    seq = shop.send(pool, "shop.again")
    answers = shop.answers(seq, 3)
    # The second run may be over before the first has said that there will be one.
    (end,) = [place for place, answer in enumerate(answers) if not answer.heartbeat]
    assert answers[end].output == {"result": 2}
    # Why the body's task id counts: the worker no longer echoes the workflow's id.
    assert shop.deliveries(seq, 3)[end].message.correlation_id == f"run.{seq}"


def test_the_task_can_read_its_attempt_and_priority(shop: Desk, pool: str) -> None:
    result = shop.end(shop.send(pool, "shop.about", {"attempt": 2, "priority": 7}))
    assert result.output == {"attempt": 2, "priority": 7}


def test_an_expired_task_is_revoked(shop: Desk, pool: str) -> None:
    past = {"extra_headers": {"expires": "2020-01-01T00:00:00+00:00"}}
    result = shop.end(shop.send(pool, "shop.give", past, kind="dict"))
    assert (result.status, result.reason) == (TaskStatus.FAILED, "revoked: expired")


def test_a_task_revoked_before_it_came_is_revoked(shop: Desk, pool: str, outsider: Callable[[str], Celery]) -> None:
    # Any answer shows that the workers listen; control messages reach only those that do.
    seq = shop.send(pool, "shop.give", kind="dict")
    shop.end(seq)
    outsider("rpc://").control.revoke(f"run.{seq + 1}", reply=True, timeout=1)
    result = shop.end(shop.send(pool, "shop.give", kind="dict"))
    assert (result.status, result.reason) == (TaskStatus.FAILED, "revoked")


def test_a_running_task_that_is_terminated_is_revoked(shop: Desk, outsider: Callable[[str], Celery]) -> None:
    seq = shop.send("prefork", "shop.wait", seconds=60)
    assert shop.answers(seq)[0].heartbeat
    outsider("rpc://").control.revoke(f"run.{seq}", terminate=True, signal="SIGKILL", reply=True, timeout=1)
    result = shop.end(seq)
    assert (result.status, result.reason) == (TaskStatus.FAILED, "revoked: terminated")


def test_a_killed_child_is_reported(shop: Desk) -> None:
    result = shop.end(shop.send("prefork", "shop.fail", kind="killed"))
    assert result.status is TaskStatus.FAILED
    assert str(result.reason).startswith("WorkerLostError: ")


def test_a_hard_time_limit_is_reported(shop: Desk) -> None:
    result = shop.end(shop.send("prefork", "shop.hard"))
    assert (result.status, result.reason) == (
        TaskStatus.FAILED,
        "TimeLimitExceeded: the task was killed at its hard time limit of 0.5 seconds",
    )


def test_a_soft_time_limit_is_reported(shop: Desk) -> None:
    result = shop.end(shop.send("prefork", "shop.soft"))
    assert result.status is TaskStatus.FAILED
    assert str(result.reason).startswith("SoftTimeLimitExceeded")
