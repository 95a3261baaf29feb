"""What becomes of polls and tasks when somebody goes away."""

from __future__ import annotations

import pytest

from engine.errors import BrokerUnavailable, Refused
from engine.polling import distributor
from engine.polling.refusals import Refusals
from engine.wire.message import DEAD_QUEUE, Message

from .conftest import Site
from .waiting import until


def test_a_message_of_a_task_that_has_ended_is_dropped_and_the_poll_goes_on(own_site: Site) -> None:
    ended = own_site.start()
    own_site.client.delete(f"/api/workflow/{ended.rpartition('.')[0]}")
    task_id = own_site.start()
    assert [task["taskId"] for task in own_site.poll(wait_ms=5000)] == [task_id]
    until(lambda: not own_site.hub.queues[own_site.kind].length)


def test_a_message_that_is_no_task_of_ours_becomes_a_dead_letter(own_site: Site) -> None:
    connection = own_site.hub.connect()
    connection.publish([Message(queue=own_site.kind, body=b"[]", headers={"task": "somebody.elses"})])
    task_id = own_site.start()
    assert [task["taskId"] for task in own_site.poll(wait_ms=5000)] == [task_id]
    (letter,) = connection.peek(DEAD_QUEUE, 5)
    assert "no task of a workflow" in str(letter.message.headers["reason"])


def test_a_poll_nobody_waits_for_any_more_takes_nothing(own_site: Site) -> None:
    poll = own_site.distributor.poll(own_site.kind, 1, 60.0, "gone")
    until(lambda: own_site.hub.queues.get(own_site.kind) is not None and own_site.hub.queues[own_site.kind].consumers)
    own_site.distributor.hang_up(poll)
    until(lambda: not own_site.hub.queues[own_site.kind].consumers)
    task_id = own_site.start()
    assert [task["taskId"] for task in own_site.poll(wait_ms=5000)] == [task_id]


def test_a_task_whose_worker_has_gone_meanwhile_is_given_back(own_site: Site) -> None:
    task_id = own_site.start()
    given = own_site.distributor.poll(own_site.kind, 1, 60.0, "w1").answer.result(10)
    own_site.distributor.give_back(given)
    (task,) = own_site.poll(wait_ms=5000, workerid="w2")
    assert (task["taskId"], task["workerId"], task["pollCount"]) == (task_id, "w2", 2)


def test_without_a_decider_a_poll_says_so_and_the_task_is_kept(own_site: Site) -> None:
    task_id = own_site.start()
    until(lambda: own_site.kind in own_site.hub.queues and own_site.hub.queues[own_site.kind].length)
    own_site.end_deciding()
    for _ in range(3):
        answer = own_site.client.get(
            f"/api/tasks/poll/batch/{own_site.kind}", params={"timeout": 100, "workerid": "early"}
        )
        assert (answer.status_code, answer.json()["retryable"]) == (503, True)
        assert "baton decider" in answer.json()["message"]
    own_site.begin_deciding()
    until(lambda: own_site.poll(wait_ms=100, workerid="late") != [])
    task = own_site.task(task_id)
    assert (task["status"], task["workerId"]) == ("IN_PROGRESS", "late")


def test_a_lost_broker_fails_polls_that_wait_and_is_forgotten_when_it_is_back(own_site: Site) -> None:
    poll = own_site.distributor.poll(own_site.kind, 1, 60.0, None)
    until(lambda: own_site.kind in own_site.hub.queues and own_site.hub.queues[own_site.kind].consumers)
    own_site.hub.disconnect()
    assert "broker" in str(poll.answer.exception(10))
    task_id = own_site.start_when_possible()
    assert [task["taskId"] for task in own_site.poll_when_possible()] == [task_id]


def test_a_server_that_ends_gives_back_what_it_had_in_hand(own_site: Site) -> None:
    task_id = own_site.start()
    until(lambda: own_site.kind in own_site.hub.queues and own_site.hub.queues[own_site.kind].length)
    own_site.end_deciding()
    poll = own_site.distributor.poll(own_site.kind, 1, 60.0, None)
    until(lambda: not own_site.hub.queues[own_site.kind].length)
    own_site.distributor.close()
    assert poll.answer.exception(10) is not None
    assert [entry.message.headers["id"] for entry in own_site.hub.queues[own_site.kind].entries()] == [task_id]


def test_a_server_that_is_to_end_lets_nobody_wait(own_site: Site) -> None:
    poll = own_site.distributor.poll(own_site.kind, 1, 60.0, None)
    own_site.distributor.rest()
    assert poll.answer.result(10) == []
    task_id = own_site.start()
    assert [task["taskId"] for task in own_site.poll(wait_ms=5000)] == [task_id]
    assert own_site.poll(wait_ms=5000) == []


def test_more_polls_than_a_server_lets_wait_are_turned_away(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributor, "_MOST_POLLS", 1)
    own_site.distributor.poll(own_site.kind, 1, 60.0, None)
    answer = own_site.client.get(f"/api/tasks/poll/{own_site.kind}")
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)


def test_what_was_handed_out_just_when_the_client_hung_up_is_given_back(own_site: Site) -> None:
    task_id = own_site.start()
    poll = own_site.distributor.poll(own_site.kind, 1, 60.0, "gone")
    poll.answer.result(10)
    own_site.distributor.hang_up(poll)
    (task,) = own_site.poll(wait_ms=5000, workerid="here")
    assert (task["taskId"], task["workerId"]) == (task_id, "here")


def test_a_queue_that_costs_the_connection_each_time_is_not_asked_for_any_more() -> None:
    refusals = Refusals()
    for losses in range(3):
        refusals.check("theirs")
        with pytest.raises(BrokerUnavailable), refusals.of("theirs"):
            raise BrokerUnavailable("RESOURCE_LOCKED")
        refusals.note()
        if not losses:
            with refusals.of("ours"):
                pass
            refusals.note()
    with pytest.raises(Refused, match="theirs"):
        refusals.check("theirs")
    refusals.check("ours")
