"""The decider's loop: what goes wrong on its way costs no command and stops nobody, and large messages go in parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.errors import StoreUnavailable
from engine.executor import Executor
from engine.model.event import StartWorkflow
from engine.model.request import Request
from engine.services.decider import by_size
from engine.testing.memory_store import MemoryTransaction
from engine.wire.message import START_QUEUE, Delivery, Message, events_queue
from engine.wire.request_message import encode_request
from engine.wire.start_message import encode_start
from tests.unit.services.site import Site, break_store, dead

# what goes wrong on the way


def test_a_store_lost_between_two_commits_of_a_batch_costs_no_command(monkeypatch) -> None:
    # Given a batch of two runs, of which the second has to be stored a second time.
    site = Site()
    site.stop_when_idle()
    save, refused = MemoryTransaction.save, []

    def first_only(self: MemoryTransaction, saves: Sequence[Any], **_: bool) -> set[str]:
        if refused:
            return save(self, saves)
        refused.append(saves[-1])
        # When the store is gone after the first commit.
        break_store(site, gone)
        site.stop_when_idle()
        return save(self, saves[:-1])

    def gone() -> None:
        raise StoreUnavailable("gone between two commits")

    monkeypatch.setattr(MemoryTransaction, "save", first_only)
    site.starts("run-1", "run-2")
    site.service.run()
    # Then both are stored, and the tasks of both are published, once.
    assert site.runs("run-1", "run-2") == ["run-1", "run-2"]
    assert site.outside.ready("a") == 2
    assert refused


def test_a_line_lost_before_the_confirm_sends_again_what_was_commanded() -> None:
    site = Site()
    site.stop_when_idle()
    idle, lost = site.line.when, []

    def when(call: str, what: Any) -> None:
        if call == "publish" and not lost:
            lost.append(what)
            site.hub.disconnect()
        idle(call, what)

    site.line.when = when
    site.starts("run-1")
    site.service.run()
    assert site.hub.connect().ready("a") == 1


@pytest.fixture
def poison(monkeypatch) -> None:
    handle = Executor.handle

    def fails_on_poison(self: Executor, deliveries: Sequence[Delivery]) -> None:
        if any(b"poison" in delivery.message.body for delivery in deliveries):
            raise RuntimeError("a fault that nobody foresaw")
        handle(self, deliveries)

    monkeypatch.setattr(Executor, "handle", fails_on_poison)


def test_a_message_on_which_the_road_fails_is_buried_and_its_neighbours_go_on(poison) -> None:
    site = Site()
    site.stop_when_idle()
    site.starts("run-1", "poison", "run-2")
    site.service.run()
    assert site.runs("run-1", "poison", "run-2") == ["run-1", "run-2"]
    assert dead(site) == ["The decider failed on it: RuntimeError: a fault that nobody foresaw"]
    assert site.outside.ready(START_QUEUE) == 0


def test_what_was_done_one_by_one_is_not_done_again_when_the_store_goes_away_in_the_middle(poison) -> None:
    # Given requests that may not be carried out twice, one of them after the poison.
    site = Site()
    site.starts("run-1", queue=events_queue(0))
    pause, resume = (
        Request(event_id=verb, workflow_id="run-1", verb=verb, reply_to="baton.reply.asker")
        for verb in ("pause", "resume")
    )
    site.outside.declare_replies("baton.reply.asker")
    requests = [encode_request(each, 1) for each in (pause, resume)]
    site.outside.publish([requests[0], Message(queue=events_queue(0), body=b"poison"), requests[1]])
    site.stop_when_idle()
    idle, acked = site.line.when, []

    def when(call: str, what: Any) -> None:
        if call == "ack":
            acked.append(what)
            if len(acked) == 3:
                # When the store goes away for a moment after the poison.
                break_store(site, gone)
                site.stop_when_idle()
                return
        idle(call, what)

    def gone() -> None:
        raise StoreUnavailable("away for a moment")

    site.line.when = when
    site.service.run()
    # Then each was answered once.
    assert site.outside.ready("baton.reply.asker") == 2
    assert len(dead(site)) == 1


# large messages


def test_large_messages_are_carried_a_few_at_a_time() -> None:
    site = Site(starter=True, batch_size=100, batch_bytes=1024 * 1024)
    large = [
        StartWorkflow(event_id=f"start {each}", workflow_id=each, name="one", input={"text": "x" * 400_000})
        for each in ("a", "b", "c", "d", "e")
    ]
    site.outside.publish([encode_start(start) for start in large])
    site.stop_when_idle()
    site.service.run()
    assert site.runs("a", "b", "c", "d", "e") == ["a", "b", "c", "d", "e"]
    assert [count for call, count in site.line.calls if call == "ack"] == [2, 2, 1]


@pytest.mark.parametrize(
    ("sizes", "counts"), [([], []), ([9], [1]), ([9, 9], [1, 1]), ([2, 2, 2], [2, 1]), ([1, 9, 1, 1, 1], [1, 1, 3])]
)
def test_messages_are_parted_by_size_and_one_that_is_too_large_goes_alone(sizes: list[int], counts: list[int]) -> None:
    deliveries = [Delivery(message=Message(queue="q", body=b"x" * size), queue="q") for size in sizes]
    assert list(by_size(deliveries, 4)) == counts
