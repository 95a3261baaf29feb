"""Workers under ``workers.connect``: every end is told, and for everybody else the app works as before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from celery import Celery
from celery.exceptions import NotRegistered

from engine.model.status import TaskStatus

if TYPE_CHECKING:
    from tests.integration.workers.conftest import Desk, Launcher

POOLS = ["prefork", "threads"]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the app's own result backend, which the engine knows nothing of."""
    return f"file://{tmp_path_factory.mktemp('results')}"


@pytest.fixture(scope="module")
def shop(desk: Desk, launch: Launcher, backend: str) -> Desk:
    """Start one plain worker for each pool; the pool's name is its domain."""
    for pool in POOLS:
        launch.worker(pool, SHOP_CONNECTED=pool, SHOP_BACKEND=backend)
    return desk


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def send(shop: Desk, domain: str, name: str, /, **inputs: object) -> int:
    return shop.send(f"{domain}:{name}", name, **inputs)


def test_each_task_has_its_own_queue_under_its_short_name(shop: Desk, pool: str) -> None:
    result = shop.end(send(shop, pool, "give", kind="dict"))
    assert (result.status, result.output) == (TaskStatus.COMPLETED, {"width": 3})
    assert str(result.worker).endswith("@box")


def test_inputs_that_the_function_does_not_take_are_dropped(shop: Desk, pool: str) -> None:
    assert shop.end(send(shop, pool, "give", kind="list", colour="red", self=1)).output == {"result": [1, 2]}


def test_a_missing_input_fails_for_good(shop: Desk, pool: str) -> None:
    result = shop.end(send(shop, pool, "give"))
    assert result.status is TaskStatus.FAILED_WITH_TERMINAL_ERROR
    assert "needs the input kind" in str(result.reason)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("fail", "exit", "The task called sys.exit(3)"),
        ("fail", "memory", "The task ran out of memory: MemoryError: much"),
        ("fail", "value", "ValueError: no such file"),
        ("fail", "unsendable", "Unsendable: size 3"),
        ("give", "nan", "EncodeError: the task's result cannot be written as JSON"),
        ("give", "surrogate", "EncodeError: the task's result cannot be written as JSON"),
        ("give", "object", "EncodeError: the task's result cannot be written as JSON"),
        ("give", "large", "EncodeError: the task's result has 30,000,"),
    ],
)
def test_every_bad_end_is_an_ordinary_failure_and_the_worker_lives_on(
    shop: Desk, pool: str, name: str, kind: str, words: str
) -> None:
    result = shop.end(send(shop, pool, name, kind=kind))
    assert result.status is TaskStatus.FAILED
    assert str(result.reason).startswith(words)
    assert shop.end(send(shop, pool, "give", kind="dict")).status is TaskStatus.COMPLETED


def test_a_killed_child_is_reported(shop: Desk) -> None:
    result = shop.end(send(shop, "prefork", "fail", kind="killed"))
    assert str(result.reason).startswith("WorkerLostError: ")


def test_a_terminal_error_fails_for_good(shop: Desk, pool: str) -> None:
    result = shop.end(send(shop, pool, "terminal"))
    assert (result.status, result.output) == (TaskStatus.FAILED_WITH_TERMINAL_ERROR, {"customer": 3})


def test_a_task_that_takes_its_time_gives_one_sign_of_life(shop: Desk, pool: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    seq = send(shop, pool, "hold", gate=str(gate))
    (started,) = shop.answers(seq)
    gate.touch()
    end = shop.end(seq)
    assert (started.heartbeat, end.status) == (True, TaskStatus.COMPLETED)
    assert str(started.worker).endswith("@box")
    assert len(shop.answers(seq)) == 2


def test_a_short_task_sends_nothing_but_its_end(shop: Desk, pool: str) -> None:
    seq = send(shop, pool, "give", kind="dict")
    assert [answer.status for answer in shop.answers(seq)] == [TaskStatus.COMPLETED]


def test_progress_and_celerys_retries_work(shop: Desk, pool: str) -> None:
    assert [a.output for a in shop.answers(send(shop, pool, "tell"), 3)][1:] == [
        {"done": 1, "of": 2},
        {"result": "end"},
    ]
    assert shop.end(send(shop, pool, "again")).output == {"result": 2}


def test_an_expired_task_is_revoked(shop: Desk, pool: str) -> None:
    past = {"extra_headers": {"expires": "2020-01-01T00:00:00+00:00"}}
    assert shop.end(shop.send(f"{pool}:give", "give", past, kind="dict")).reason == "revoked: expired"


def test_results_of_other_senders_go_to_the_apps_own_backend(
    shop: Desk, backend: str, outsider: Callable[[str], Celery]
) -> None:
    other = outsider(backend)
    assert other.send_task("shop.give", kwargs={"kind": "dict"}).get(timeout=60) == {"width": 3}
    with pytest.raises(TypeError):
        other.send_task("shop.give", kwargs={"colour": "red"}).get(timeout=60)
    with pytest.raises(NotRegistered):
        other.send_task("shop.nothing").get(timeout=60)


def test_a_killed_worker_loses_nothing_and_the_next_one_asks_before_it_begins(
    desk: Desk, launch: Launcher, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = launch.worker("threads", SHOP_CONNECTED="fragile")
    seq = send(desk, "fragile", "hold", gate=str(gate))
    assert desk.answers(seq)[0].heartbeat
    first.kill()
    first.wait()
    gate.touch()
    launch.worker("threads", SHOP_CONNECTED="fragile")
    assert desk.end(seq).output == {"redelivered": True}
    assert desk.asked == [f"run.{seq}"]


def test_a_worker_with_two_tasks_of_one_short_name_does_not_start(launch: Launcher, tmp_path: Path) -> None:
    (tmp_path / "twins.py").write_text("from shop import app\n@app.task(name='other.give')\ndef give():\n    pass\n")
    path = f"{tmp_path}:{Path(__file__).parents[3]}"
    process = launch.worker("threads", "-I", "twins", SHOP_CONNECTED="twins", PYTHONPATH=path)
    try:
        assert process.wait(60) != 0
    except subprocess.TimeoutExpired:
        pytest.fail("the worker started although a workflow could not say which of two tasks it means")
