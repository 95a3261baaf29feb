"""Task domains: the first of several that has workers gets the task, and who got it once keeps it."""

from __future__ import annotations

import pytest

from engine.clock import after
from engine.store.worker_port import LastPoll
from engine.testing.harness import Harness
from tests.unit.decider.steps import fails, fork, step


def serve(harness: Harness, *queues: str) -> None:
    """Connect a worker that takes from these queues and does nothing."""
    worker = harness.broker.connect()
    for queue in queues:
        worker.consume(queue, 1)


def queues(harness: Harness, run: str) -> list[str]:
    return [task.queue for task in harness.rows(run).tasks]


def start(harness: Harness, domains: str, ref: str = "resize") -> str:
    harness.register({"name": "flow", "tasks": [step("resize")]})
    return harness.start("flow", task_to_domain={ref: domains})


@pytest.mark.parametrize(
    ("domains", "served", "queue"),
    [
        ("green,blue", (), "blue:resize"),
        ("green,blue", ("blue:resize",), "blue:resize"),
        ("green,blue", ("green:resize",), "green:resize"),
        ("green, blue", ("green:resize", "blue:resize"), "green:resize"),
        ("red,green,blue", ("green:resize",), "green:resize"),
        ("green,NO_DOMAIN", (), "resize"),
        ("green,NO_DOMAIN", ("green:resize",), "green:resize"),
        ("NO_DOMAIN,blue", ("resize",), "blue:resize"),
        ("no_domain", (), "resize"),
        ("green,,", (), "green:resize"),
    ],
)
def test_the_first_domain_with_workers_gets_the_task_else_the_last_one(harness, domains, served, queue):
    serve(harness, *served)
    assert queues(harness, start(harness, domains)) == [queue]


@pytest.mark.parametrize(("seconds_ago", "queue"), [(9, "green:resize"), (11, "blue:resize")])
def test_a_domain_has_workers_for_ten_seconds_after_one_has_polled(harness, seconds_ago, queue):
    at = after(harness.clock.now(), -seconds_ago)
    with harness.store.transaction() as transaction:
        transaction.note_polls([LastPoll(task_type="resize", domain="green", worker="w1", at=at)])
    assert queues(harness, start(harness, "green,blue")) == [queue]


def test_the_entry_for_all_is_a_list_too_and_a_tasks_own_comes_before_it(harness):
    serve(harness, "green:resize", "green:upload")
    harness.register({"name": "flow", "tasks": fork("both", [step("resize")], [step("upload")])})
    run = harness.start("flow", task_to_domain={"*": "green,blue", "upload": "red,blue"})
    assert {task.ref: task.queue for task in harness.rows(run).tasks if task.queue} == {
        "resize": "green:resize",
        "upload": "blue:upload",
    }


def test_the_domain_is_stored_with_the_task(harness):
    serve(harness, "green:resize")
    run = start(harness, "green,blue")
    assert harness.task(run, "resize").domain == "green"


def test_workers_that_come_later_get_what_is_scheduled_then(harness):
    first = start(harness, "green,blue")
    serve(harness, "green:resize")
    harness.advance(2)
    assert (queues(harness, first), queues(harness, start(harness, "green,blue"))) == (
        ["blue:resize"],
        ["green:resize"],
    )


def test_a_further_attempt_looks_for_workers_anew(harness):
    harness.register({"name": "flow", "tasks": [step("resize", retryCount=1)]}, tasks=[{"name": "resize"}])
    run = harness.start("flow", task_to_domain={"resize": "green,blue"})
    serve(harness, "green:resize")
    harness.work({"blue:resize": fails})
    harness.advance(61)
    assert queues(harness, run) == ["blue:resize", "green:resize"]


def test_what_a_worker_wants_back_goes_to_the_same_workers(harness):
    run = start(harness, "green,blue")
    serve(harness, "green:resize")
    harness.request(run, "update_task", ref="resize", status="IN_PROGRESS", callbackAfterSeconds=5)
    harness.advance(6)
    assert harness.task(run, "resize").queue == "blue:resize"


def test_a_name_that_only_data_knows_has_its_domain_too(harness):
    serve(harness, "green:crop")
    dynamic = step("any", "DYNAMIC", dynamicTaskNameParam="which", inputParameters={"which": "crop"})
    harness.register({"name": "flow", "tasks": [dynamic]})
    run = harness.start("flow", task_to_domain={"crop": "green,blue"})
    assert queues(harness, run) == ["green:crop"]


def test_system_tasks_have_no_domain(harness):
    harness.register({"name": "flow", "tasks": [step("call", "HTTP", inputParameters={"uri": "http://x"})]})
    assert queues(harness, harness.start("flow", task_to_domain={"*": "green,blue"})) == ["system.http"]


def test_nobody_is_asked_about_a_single_domain(harness, monkeypatch):
    monkeypatch.setattr(harness.road, "consumers", lambda queue: pytest.fail(f"asked about {queue}"))
    assert queues(harness, start(harness, "blue")) == ["blue:resize"]
