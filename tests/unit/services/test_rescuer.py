"""The rescuer goes by evidence: a marker that is gone, and queues that stay empty."""

import pytest

from engine.errors import BrokerUnavailable
from engine.model.event import Wake
from engine.model.request import Request
from engine.services.rescuer import Rescuer
from engine.testing.harness import Harness, result_message
from engine.wire.message import Message
from engine.wire.request_message import encode_request, encode_wake

QUEUE = "resize"
WAIT = {"name": "wait", "taskReferenceName": "wait", "type": "WAIT"}
CHILD = {"name": "c", "taskReferenceName": "child", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "one"}}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register({"name": "one", "tasks": [{"name": QUEUE, "taskReferenceName": "resize"}]})
    return harness


@pytest.fixture
def rescuer(harness: Harness) -> Rescuer:
    return Rescuer(harness.store, harness.broker.connect(), harness.clock, 1)


def seen_empty(harness: Harness) -> dict[str, int]:
    with harness.store.transaction() as transaction:
        return {name: at for name, at in transaction.queues_seen_empty().items() if at}


def test_an_empty_queue_counts_when_two_looks_in_a_row_find_it_empty_from_the_first_of_them(harness, rescuer):
    harness.start("one")
    harness.take(QUEUE)
    rescuer.look()
    assert seen_empty(harness) == {}

    first = harness.clock.now()
    harness.clock.advance(5)
    rescuer.look()

    assert seen_empty(harness) == {QUEUE: first}


def test_a_queue_that_has_messages_again_has_to_be_found_empty_twice_again(harness, rescuer):
    run = harness.start("one")
    harness.take(QUEUE)
    rescuer.look()
    harness.start("one")
    rescuer.look()
    harness.take(QUEUE)
    rescuer.look()

    assert seen_empty(harness) == {}
    assert harness.run(run).status == "RUNNING"


def test_a_broker_that_has_lost_its_marker_makes_every_open_task_go_out_again(harness, rescuer):
    run = harness.start("one")
    rescuer.look()
    harness.broker.delete_queue(QUEUE)
    harness.broker.delete_queue("baton.marker")

    assert rescuer.look() == 1
    harness.carry()

    assert harness.take(QUEUE)[0].message.headers["id"] == f"{run}.1"
    assert rescuer.look() == 0


def test_the_first_look_of_a_new_system_rescues_nothing(harness, rescuer):
    harness.start("one")

    assert rescuer.look() == 0
    assert isinstance(harness.broker.connect().peek("baton.marker", 1)[0].message, Message)


def test_a_first_look_that_was_broken_off_leaves_no_marker_whose_loss_goes_unnoticed(harness, rescuer, monkeypatch):
    # Given a rescuer whose first look was broken off as soon as the marker was placed
    publish = rescuer._broker.publish

    def place_and_die(messages):
        publish(messages)
        raise BrokerUnavailable("gone")

    monkeypatch.setattr(rescuer._broker, "publish", place_and_die)
    run = harness.start("one")
    with pytest.raises(BrokerUnavailable):
        rescuer.look()
    monkeypatch.undo()
    rescuer.look()
    harness.broker.delete_queue(QUEUE)
    harness.broker.delete_queue("baton.marker")

    assert rescuer.look() == 1
    harness.carry()

    assert harness.take(QUEUE)[0].message.headers["id"] == f"{run}.1"


def lose_everything(harness: Harness) -> None:
    """Wipe the broker: every queue that the engine or a task has is empty."""
    for queue in list(harness.broker.queues):
        if not queue.startswith("baton.repl"):
            harness.broker.delete_queue(queue)


def request_whose_consequences_are_lost(harness: Harness, workflow_id: str, verb: str) -> None:
    """Let the road carry out a request, and lose whatever that led to."""
    request = Request(event_id=f"lost {verb}", workflow_id=workflow_id, verb=verb)
    harness.broker.connect().publish([encode_request(request, 1)])
    harness.executor.handle(harness.road.receive(10, 0))
    lose_everything(harness)


def test_a_failure_workflow_whose_start_was_lost_is_started_once(harness, rescuer):
    harness.register(
        {
            "name": "risky",
            "failureWorkflow": "one",
            "timeoutSeconds": 60,
            "timeoutPolicy": "TIME_OUT_WF",
            "tasks": [WAIT],
        }
    )
    run = harness.start("risky")
    rescuer.look()
    # Given a run that has failed, and its failure workflow's start stood in a broker that has lost its data
    harness.clock.advance(61)
    wake = Wake(event_id="late", workflow_id=run)
    harness.broker.connect().publish([encode_wake(wake, 1)])
    harness.executor.handle(harness.road.receive(10, 0))
    lose_everything(harness)
    repair = harness.run(run).failure_workflow_id
    # When the loss is noticed
    assert rescuer.look() == 1
    harness.carry()
    # Then it runs
    assert harness.run(repair).status == "RUNNING"
    # And is not asked for again
    harness.broker.delete_queue("baton.marker")
    assert rescuer.look() == 1
    harness.carry()
    assert len(harness.rows(repair).tasks) == 1


@pytest.fixture
def child(harness: Harness) -> tuple[str, str]:
    """Return a run and the child that it waits for."""
    harness.register({"name": "parent", "tasks": [CHILD]})
    run = harness.start("parent")
    return run, harness.task(run, "child").child_id


def test_a_child_ends_with_its_parent_also_when_the_word_of_it_was_lost(harness, rescuer, child):
    rescuer.look()
    request_whose_consequences_are_lost(harness, child[0], "terminate")
    assert harness.run(child[1]).status == "RUNNING"

    rescuer.look()
    harness.carry()

    assert harness.run(child[1]).status == "TERMINATED"


def test_a_child_that_was_retried_without_its_parent_goes_on(harness, rescuer, child):
    rescuer.look()
    harness.request(child[0], "terminate")
    harness.request(child[1], "retry", askedBy="nobody")
    assert (harness.run(child[0]).status, harness.run(child[1]).status) == ("TERMINATED", "RUNNING")
    lose_everything(harness)

    rescuer.look()
    harness.carry()

    assert harness.run(child[1]).status == "RUNNING"
    assert harness.take(QUEUE)


def test_tasks_that_somebody_was_working_on_go_out_again_only_if_the_workers_are_lost(harness, rescuer):
    run = harness.start("one")
    (delivery,) = harness.take(QUEUE)
    harness.publish(result_message(delivery, {"task_id": f"{run}.1", "status": "STARTED", "result": {}}))
    assert harness.task(run, "resize").status == "IN_PROGRESS"

    assert rescuer.rescue(workers_lost=False) == 1
    harness.carry()
    assert not harness.take(QUEUE)

    assert rescuer.rescue(workers_lost=True) == 1
    harness.carry()
    assert [each.message.headers["id"] for each in harness.take(QUEUE)] == [f"{run}.1"]


def test_a_rescue_by_hand_is_not_repeated_by_the_timekeeper(harness, rescuer):
    harness.start("one")
    rescuer.look()
    lose_everything(harness)

    assert rescuer.rescue(workers_lost=True) == 1
    assert rescuer.look() == 0
