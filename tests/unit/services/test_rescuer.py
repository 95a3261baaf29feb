"""The rescuer goes by evidence: a marker that is gone, and queues that stay empty."""

import pytest

from engine.errors import BrokerUnavailable
from engine.services.rescuer import Rescuer
from engine.testing.harness import Harness
from engine.wire.message import Message

QUEUE = "resize"


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
