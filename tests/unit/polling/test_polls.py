"""What workers that poll over HTTP get, and when."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Site


def test_a_task_that_waits_is_handed_out_in_progress(site: Site) -> None:
    task_id = site.start(input={"who": "Ada"})
    (task,) = site.poll(wait_ms=5000)
    assert (task["taskId"], task["status"], task["workerId"], task["pollCount"]) == (task_id, "IN_PROGRESS", "w1", 1)
    assert task["inputData"] == {"who": "Ada"}
    assert site.status(task_id) == "IN_PROGRESS"
    assert site.poll() == []


def test_a_poll_that_waits_is_answered_when_a_task_comes(site: Site) -> None:
    poll = site.meanwhile(site.poll, wait_ms=5000)
    task_id = site.start()
    assert [task["taskId"] for task in poll.result(10)] == [task_id]


def test_a_batch_does_not_wait_for_the_whole_count(site: Site) -> None:
    task_id = site.start()
    assert [task["taskId"] for task in site.poll(count=5, wait_ms=5000)] == [task_id]


def test_each_task_goes_to_one_of_the_polls_that_wait(site: Site) -> None:
    polls = [site.meanwhile(site.poll, wait_ms=5000, workerid=f"w{number}") for number in range(4)]
    started = {site.start() for _ in range(4)}
    assert {poll.result(10)[0]["taskId"] for poll in polls} == started


def test_urgent_tasks_come_first(site: Site) -> None:
    ids = [site.start(priority=priority) for priority in (0, 90, 50)]
    came = []
    while len(came) < 3:
        came += [task["taskId"] for task in site.poll(wait_ms=5000)]
    assert came == [ids[1], ids[2], ids[0]]


def test_a_single_poll_answers_with_the_task_or_with_nothing(site: Site) -> None:
    assert site.client.get(f"/api/tasks/poll/{site.kind}").status_code == 204
    task_id = site.start()
    assert site.client.get(f"/api/tasks/poll/{site.kind}", params={"workerid": "w7"}).json()["taskId"] == task_id
    assert site.task(task_id)["workerId"] == "w7"


def test_a_domain_has_a_queue_of_its_own(site: Site) -> None:
    task_id = site.start(taskToDomain={site.kind: "blue"})
    assert site.poll(wait_ms=100) == []
    (task,) = site.poll(wait_ms=5000, domain="blue")
    assert (task["taskId"], task["domain"]) == (task_id, "blue")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("batch/a?timeout=5001", "5000"),
        ("batch/a?count=many", "count"),
        ("baton.start", "Baton's own"),
        ("batch/amq.gen", "Baton's own"),
        ("batch/" + "x" * 300, "255"),
    ],
)
def test_senseless_polls_are_told_so(site: Site, path: str, says: str) -> None:
    answer = site.client.get(f"/api/tasks/poll/{path}")
    assert (answer.status_code, answer.json()["retryable"]) == (400, False)
    assert says in answer.json()["message"]


@pytest.mark.parametrize("count", [0, -3])
def test_who_wants_nothing_gets_nothing(site: Site, count: int) -> None:
    site.start()
    assert site.poll(count=count, wait_ms=5000) == []


def test_an_update_answers_with_the_next_task(site: Site) -> None:
    site.start()
    (first,) = site.poll(wait_ms=5000)
    assert site.report(first, "IN_PROGRESS", way="/update-v2", extendLease=True).status_code == 204
    second = site.start()
    answer = site.report(first, way="/update-v2", outputData={"ok": True}, workerId="w2")
    assert (answer.status_code, answer.json()["taskId"], answer.json()["workerId"]) == (200, second, "w2")
    assert site.run_status(first["taskId"]) == "COMPLETED"
    assert site.report(answer.json(), way="/update-v2").status_code == 204
    site.start()
    late = site.report(first, way="/update-v2")
    assert (late.status_code, late.content) == (204, b"")
    unknown: dict[str, Any] = {"workflowInstanceId": "nobody", "taskId": "nobody.1"}
    assert site.report(unknown, way="/update-v2").status_code == 404


def test_a_report_that_comes_too_late_gets_no_task_and_keeps_none_from_others(site: Site) -> None:
    site.start()
    (first,) = site.poll(wait_ms=5000)
    site.client.delete(f"/api/workflow/{first['workflowInstanceId']}")
    second = site.start()
    # The server looks for the next task before it knows that this one has ended without the report.
    assert site.report(first, way="/update-v2").status_code == 204
    assert [task["taskId"] for task in site.poll(wait_ms=5000)] == [second]


def test_a_report_that_is_refused_keeps_no_task_from_others(site: Site) -> None:
    site.start()
    (first,) = site.poll(wait_ms=5000)
    site.client.delete(f"/api/workflow/{first['workflowInstanceId']}/remove", params={"archiveWorkflow": False})
    second = site.start()
    assert site.report(first, way="/update-v2").status_code == 404
    assert [task["taskId"] for task in site.poll(wait_ms=5000)] == [second]


def test_the_next_task_may_be_the_one_that_the_report_has_led_to(site: Site) -> None:
    site.define(steps=2)
    site.start()
    (first,) = site.poll(wait_ms=5000)
    second = site.report(first, way="/update-v2")
    assert second.json()["taskId"] == f"{first['workflowInstanceId']}.2"
    assert site.report(second.json(), way="/update-v2").status_code == 204
    assert site.run_status(first["taskId"]) == "COMPLETED"


def test_a_task_comes_again_when_its_worker_wants_it_back(site: Site) -> None:
    site.start()
    (first,) = site.poll(wait_ms=5000)
    assert site.report(first, "IN_PROGRESS", outputData={"half": 1}, workerId="w1").text == first["taskId"]
    (again,) = site.poll(wait_ms=5000)
    assert (again["taskId"], again["pollCount"], again["outputData"]) == (first["taskId"], 2, {"half": 1})
    assert again["callbackAfterSeconds"] == 0
