"""A task queue that has lost messages gets its tasks again, and no other one does."""

from __future__ import annotations

from engine.model.event import Wake
from engine.testing.harness import result_message
from engine.wire.message import Delivery
from engine.wire.request_message import decode_wake, encode_wake
from tests.unit.decider.steps import fork, run_of, step


def lost(harness, run, queue):
    harness.publish(encode_wake(Wake(event_id=f"{run}/{queue}", workflow_id=run, lost_queue=queue), 1))


def test_what_stands_scheduled_in_the_queue_is_sent_again(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    assert (len(harness.take("a")), len(harness.take("b"))) == (1, 1)
    harness.clock.advance(60)
    lost(harness, run, "a")
    assert (len(harness.take("a")), len(harness.take("b"))) == (1, 0)
    assert harness.task(run, "a").visible_at == harness.clock.now()


def test_what_somebody_works_on_is_not(harness):
    run = run_of(harness, step("a"))
    (taken,) = harness.take("a")
    harness.publish(result_message(taken, {"task_id": f"{run}.1", "status": "STARTED", "result": {"pid": 1}}))
    lost(harness, run, "a")
    assert harness.take("a") == []


def test_the_queue_travels_in_the_wake_up():
    wake = Wake(event_id="w", workflow_id="run", lost_queue="a")
    message = encode_wake(wake, 1)
    assert decode_wake(Delivery(message=message, queue=message.queue)) == wake
