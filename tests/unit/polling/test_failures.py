"""What becomes of polls and tasks when somebody goes away."""

from __future__ import annotations

import pytest

from engine.polling import distributor
from engine.wire.message import DEAD_QUEUE, Message

from .conftest import Site
from .waiting import until


def test_a_message_of_a_task_that_has_ended_is_dropped_and_the_poll_goes_on(site: Site) -> None:
    ended = site.start()
    site.client.delete(f"/api/workflow/{ended.rpartition('.')[0]}")
    task_id = site.start()
    assert [task["taskId"] for task in site.poll(wait_ms=5000)] == [task_id]
    until(lambda: not site.hub.queues["a"].length)


def test_a_message_that_is_no_task_of_ours_becomes_a_dead_letter(site: Site) -> None:
    connection = site.hub.connect()
    connection.publish([Message(queue="a", body=b"[]", headers={"task": "somebody.elses"})])
    task_id = site.start()
    assert [task["taskId"] for task in site.poll(wait_ms=5000)] == [task_id]
    (letter,) = connection.peek(DEAD_QUEUE, 5)
    assert "no task of a workflow" in str(letter.message.headers["reason"])


def test_a_poll_nobody_waits_for_any_more_takes_nothing(site: Site) -> None:
    poll = site.distributor.poll("a", 1, 60.0, "gone")
    until(lambda: site.hub.queues.get("a") is not None and site.hub.queues["a"].consumers)
    site.distributor.hang_up(poll)
    until(lambda: not site.hub.queues["a"].consumers)
    task_id = site.start()
    assert [task["taskId"] for task in site.poll(wait_ms=5000)] == [task_id]


def test_a_task_whose_worker_has_gone_meanwhile_is_given_back(site: Site) -> None:
    task_id = site.start()
    given = site.distributor.poll("a", 1, 60.0, "w1").answer.result(10)
    site.distributor.give_back(given)
    (task,) = site.poll(wait_ms=5000, workerid="w2")
    assert (task["taskId"], task["workerId"], task["pollCount"]) == (task_id, "w2", 2)


def test_without_a_decider_a_poll_says_so_and_the_task_is_kept(site: Site) -> None:
    task_id = site.start()
    until(lambda: "a" in site.hub.queues and site.hub.queues["a"].length)
    site.end_deciding()
    for _ in range(3):
        answer = site.client.get("/api/tasks/poll/batch/a", params={"timeout": 100, "workerid": "early"})
        assert (answer.status_code, answer.json()["retryable"]) == (503, True)
        assert "baton decider" in answer.json()["message"]
    site.begin_deciding()
    until(lambda: site.poll(wait_ms=100, workerid="late") != [])
    task = site.task(task_id)
    assert (task["status"], task["workerId"]) == ("IN_PROGRESS", "late")


def test_a_lost_broker_fails_polls_that_wait_and_is_forgotten_when_it_is_back(site: Site) -> None:
    poll = site.distributor.poll("a", 1, 60.0, None)
    until(lambda: "a" in site.hub.queues and site.hub.queues["a"].consumers)
    site.hub.disconnect()
    assert "broker" in str(poll.answer.exception(10))
    task_id = site.start_when_possible()
    assert [task["taskId"] for task in site.poll_when_possible()] == [task_id]


def test_a_server_that_ends_gives_back_what_it_had_in_hand(idle_site: Site) -> None:
    idle_site.begin_deciding()
    task_id = idle_site.start()
    until(lambda: "a" in idle_site.hub.queues and idle_site.hub.queues["a"].length)
    idle_site.end_deciding()
    poll = idle_site.distributor.poll("a", 1, 60.0, None)
    until(lambda: not idle_site.hub.queues["a"].length)
    idle_site.distributor.close()
    assert poll.answer.exception(10) is not None
    assert [entry.message.headers["id"] for entry in idle_site.hub.queues["a"].entries()] == [task_id]


def test_a_server_that_is_to_end_lets_nobody_wait(site: Site) -> None:
    poll = site.distributor.poll("a", 1, 60.0, None)
    site.distributor.rest()
    assert poll.answer.result(10) == []
    task_id = site.start()
    assert [task["taskId"] for task in site.poll(wait_ms=5000)] == [task_id]
    assert site.poll(wait_ms=5000) == []


def test_more_polls_than_a_server_lets_wait_are_turned_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributor, "_MOST_POLLS", 1)
    site.distributor.poll("a", 1, 60.0, None)
    answer = site.client.get("/api/tasks/poll/a")
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
