"""Limited tasks on the road: whatever is cut, overtaken or lost, no slot is, and whoever is granted one hears of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from engine.errors import BrokerUnavailable
from engine.model.event import Wake
from engine.model.status import Slot
from engine.services.rescuer import Rescuer
from engine.testing.harness import Harness
from engine.wire.message import Delivery, Message, events_queue
from engine.wire.request_message import encode_wake
from tests.unit.road.limited_tasks import RUNS, complete, limited_tasks, out, slots, start, step
from tests.unit.road.line import Line


@pytest.fixture
def harness() -> Harness:
    return limited_tasks()


@pytest.fixture(params=["the same decider", "another decider"])
def line(request, harness) -> Line:
    """A line after whose loss the same decider goes on, or one that has nothing in memory."""
    line = Line(harness)
    if request.param == "another decider":
        reconnect = harness.road.reconnect

        def restart() -> None:
            reconnect()
            harness.restart_decider()

        harness.road.reconnect = restart
    return line


@pytest.mark.parametrize("publication", range(2), ids=["the grant", "the task"])
def test_a_task_that_finds_a_slot_free_goes_out_though_the_line_is_cut(harness, line, publication):
    with line.cut(after=publication):
        start(harness, "one")
    assert set(out(harness)) == {"one"}
    assert slots(harness, "one") == [Slot.HELD]


@pytest.mark.parametrize("publication", range(2), ids=["the grant", "the task"])
def test_a_freed_slot_reaches_the_next_though_the_line_is_cut(harness, line, publication):
    start(harness, *RUNS)
    out(harness)
    with line.cut(after=publication):
        harness.request("one", "terminate")
    assert set(out(harness)) == {"two"}
    assert slots(harness, "two", "three") == [Slot.HELD, Slot.WAITING]


def test_a_freed_slot_reaches_the_next_though_newer_news_overtakes_the_event_that_freed_it(harness, monkeypatch):
    """The event comes again when the run it concerned has gone on: what it commanded is still in the run's row."""
    harness.register({"name": "chain", "tasks": [step("scarce"), step("plenty"), step("last")]})
    start(harness, "one", workflow="chain")
    start(harness, "two")
    out(harness)
    body = b'{"task_id": "one.1", "status": "SUCCESS", "result": {}, "traceback": null}'
    freed = Delivery(message=Message(queue=events_queue(0), body=body), queue=events_queue(0))

    def lose(_: object) -> None:
        raise BrokerUnavailable("the line was cut before the confirm")

    with monkeypatch.context() as broken, pytest.raises(BrokerUnavailable):
        broken.setattr(harness.road, "publish", lose)
        harness.executor.handle([freed])
    # Whoever gets the event now has a clock that is behind.
    harness.clock.advance(-5)
    harness.request("one", "update_task", ref="plenty", status="COMPLETED")
    assert slots(harness, "two") == [Slot.WAITING], "nobody has told it"
    harness.executor.handle([freed])
    harness.carry()
    assert out(harness) == ["two"]


@contextmanager
def without_news_of_slots(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lose what the road says about slots, as a broker that comes back with an empty disk would."""
    publish = harness.road.publish

    def lossy(messages: Sequence[Message]) -> None:
        publish([message for message in messages if message.headers.get("baton") != "slot"])

    with monkeypatch.context() as broken:
        broken.setattr(harness.road, "publish", lossy)
        yield


def test_the_rescuer_announces_a_grant_again_that_was_lost_in_whatever_way(harness, monkeypatch):
    start(harness, *RUNS)
    out(harness)
    with without_news_of_slots(harness, monkeypatch):
        harness.request("one", "terminate")
    rescuer = Rescuer(harness.store, harness.broker.connect(), harness.clock, 1)
    rescuer.look()
    harness.carry()
    assert out(harness) == [], "the message may still be on its way"
    harness.clock.advance(11)
    rescuer.look()
    harness.carry()
    assert out(harness) == ["two"]


def test_the_rescuer_takes_back_the_slot_of_a_run_that_is_gone(harness):
    start(harness, *RUNS)
    out(harness)
    del harness.store._tables.workflows["one"], harness.store._tables.tasks["one"]
    harness.restart_decider()
    Rescuer(harness.store, harness.broker.connect(), harness.clock, 1).look()
    harness.advance(0.1)
    assert out(harness) == ["two"]


def test_a_broker_that_has_lost_its_data_loses_no_slot(harness, monkeypatch):
    start(harness, *RUNS)
    out(harness)
    with without_news_of_slots(harness, monkeypatch):
        harness.request("one", "terminate")
    assert slots(harness, "two") == [Slot.WAITING], "nobody has told it"
    for run in RUNS:
        wake = Wake(event_id=f"resend {run}", workflow_id=run, resend=True)
        harness.publish(encode_wake(wake, 1))
    assert set(out(harness)) == {"two"}
    complete(harness, "two")
    assert set(out(harness)) == {"three"}
