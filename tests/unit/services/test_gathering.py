"""When a decider waits a little for more before it takes a batch: under load, and where nobody waits for an answer."""

from __future__ import annotations

from typing import Any

from engine.model.payload import Json
from engine.model.request import Request
from engine.services.stopping import Stop
from engine.testing.harness import result_message
from engine.wire.message import Delivery, Message
from engine.wire.request_message import encode_request
from tests.unit.services.site import Site

MANY, FEW = 8, 7


class Patient(Stop):
    """Notes how long it was to sleep, and takes no time for it."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def slept_after(*messages: Message, **settings: Any) -> list[float]:
    """Let a decider carry these messages in one batch; return how long it has waited before it looked for the next."""
    site = Site(**settings)
    site.outside.publish(messages)
    return slept(site)


def slept(site: Site) -> list[float]:
    site.stop = site.service._stop = stop = Patient()
    site.stop_when_idle()
    site.service.run()
    return stop.slept


def results(number: int) -> list[Message]:
    """As many workers' results, of runs that are not there any more."""
    return [result(f"run-{each}") for each in range(number)]


def result(run: str) -> Message:
    task = Message(queue="a", body=b"", reply_to="baton.events.0", correlation_id=run)
    body: Json = {"task_id": f"{run}.1", "status": "SUCCESS", "result": None, "traceback": None}
    return result_message(Delivery(message=task, queue="a"), body)


def test_after_many_events_a_decider_waits_once_for_more() -> None:
    assert slept_after(*results(MANY), gather_ms=10) == [0.01]


def test_after_few_events_the_next_one_is_taken_at_once() -> None:
    assert slept_after(*results(FEW)) == []


def test_who_waits_for_an_answer_is_not_kept_waiting() -> None:
    asked = Request(event_id="r", workflow_id="run-1", verb="pause", reply_to="replies", reply_id="r")
    assert slept_after(*results(MANY), encode_request(asked, 4)) == []


def test_a_batch_as_large_as_can_be_is_followed_by_the_next_at_once() -> None:
    assert slept_after(*results(MANY), batch_size=MANY) == []


def test_start_messages_are_not_waited_for() -> None:
    site = Site()
    site.starts(*(f"run-{each}" for each in range(MANY)))
    assert slept(site) == []


def test_nothing_is_waited_for_where_the_settings_say_so() -> None:
    assert slept_after(*results(MANY), gather_ms=0) == []
