"""What kills every process that takes it in hand is set aside; what was beside it is carried."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model.request import Request
from engine.services.decider import RoadService
from engine.services.quarantine import portions
from engine.wire.dead_letter import read_dead
from engine.wire.message import DEAD_QUEUE, START_QUEUE, Delivery, Message, events_queue
from engine.wire.request_message import encode_request
from tests.unit.services.site import Line, Quiet, Site


class Killed(BaseException):
    """The process is gone: nothing that it has planned for its end is done."""


class Fleet:
    """Deciders on memory, one after the other; whoever saves or loads a run of this name is killed."""

    def __init__(self, deadly: str, **settings: Any) -> None:
        self.site = Site(**settings)
        self.deadly = deadly
        self.deaths = 0
        #: How many messages were carried at once, by every decider.
        self.batches: list[int] = []

    def run_until_idle(self, most: int = 20) -> None:
        """Let deciders work, each until it dies, until one finds nothing more to do."""
        for _ in range(most):
            service = self._decider()
            try:
                service.run()
            except Killed:
                self.deaths += 1
                # The broker notices that the connection is gone.
                with self.site.hub.lock:
                    self._line.break_off("the process is gone")
            else:
                return
        raise AssertionError(f"after {most} deciders there is still something to do")

    def _decider(self) -> RoadService:
        site, stop = self.site, Quiet()
        self._line = Line(site.hub)
        service = RoadService(site.store, self._line, site.settings, stop, clock=site.clock, starter=False)
        self._line.when = lambda call, what: stop.now() if call == "receive" and not what else None
        executor = service._ready()
        # Its leases die with it; nobody waits for them here.
        with site.store.transaction() as transaction:
            for owner in list(site.store._tables.living):
                transaction.release_leases(owner)
        carry = executor.handle

        def handle(held: list[Delivery]) -> None:
            self.batches.append(len(held))
            if any(self.deadly in (each.message.message_id or "") for each in held):
                raise Killed
            carry(held)

        executor.handle = handle  # type: ignore[method-assign, assignment]
        return service

    def letters(self) -> list[str]:
        return [read_dead(each.message).reason for each in self.site.outside.peek(DEAD_QUEUE, 100)]

    def in_hand(self) -> int:
        with self.site.store.transaction() as transaction:
            return len(transaction.all_in_hand())


def test_a_start_that_kills_is_set_aside_and_its_neighbours_run() -> None:
    fleet = Fleet("start deadly")
    names = [f"run-{number}" for number in range(20)]
    fleet.site.starts(*names[:10], "deadly", *names[10:])
    fleet.run_until_idle()
    assert fleet.site.runs(*names) == names
    # Once as it came, once with those that came back, and three deaths by name in all.
    assert fleet.deaths == 1 + 3
    (letter,) = fleet.letters()
    assert "3 processes died with this message in hand" in letter
    with fleet.site.store.transaction() as transaction:
        run = transaction.load(["deadly"])["deadly"].workflow
    assert (run.status, run.reason) == ("FAILED", letter)
    assert fleet.in_hand() == 0


def test_only_the_one_that_kills_is_at_hand_from_the_third_death_on() -> None:
    fleet = Fleet("start deadly")
    fleet.site.starts("deadly", *(f"run-{number}" for number in range(10)))
    fleet.run_until_idle()
    assert fleet.batches[:2] == [11, 11]
    assert set(fleet.batches[2:]) == {1}


def test_news_that_kill_end_their_run_with_the_reason() -> None:
    fleet = Fleet("news that kills")
    fleet.site.starts("victim", "other")
    fleet.run_until_idle()
    news = Message(
        queue=events_queue(0),
        body=b'{"wake": "victim", "resend": false, "workersLost": false}',
        headers={"baton": "wake"},
        message_id="news that kills",
    )
    fleet.site.outside.publish([news])
    fleet.run_until_idle()
    with fleet.site.store.transaction() as transaction:
        rows = transaction.load(["victim", "other"])
    assert [rows[name].workflow.status for name in ("victim", "other")] == ["FAILED", "RUNNING"]
    assert [task.status for task in rows["victim"].tasks] == ["CANCELED"]
    assert len(fleet.letters()) == 1


def test_a_request_that_kills_is_refused_and_leaves_its_run_alone() -> None:
    fleet = Fleet("deadly request")
    fleet.site.starts("victim")
    fleet.run_until_idle()
    fleet.site.outside.declare_replies("baton.reply.me")
    fleet.site.outside.consume("baton.reply.me", 10)
    request = Request(event_id="deadly request", workflow_id="victim", verb="pause", reply_to="baton.reply.me")
    fleet.site.outside.publish([encode_request(request, 4)])
    fleet.run_until_idle()
    (answer,) = fleet.site.outside.receive(10, 0)
    assert b"processes died with this message in hand" in answer.message.body
    with fleet.site.store.transaction() as transaction:
        assert transaction.load(["victim"])["victim"].workflow.status == "RUNNING"


def test_a_message_whose_run_cannot_even_be_ended_is_only_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("engine.executor.Executor.set_aside", kill)
    fleet = Fleet("start deadly")
    fleet.site.starts("deadly", "run-1")
    fleet.run_until_idle()
    assert fleet.site.runs("deadly", "run-1") == ["run-1"]
    assert "could not be ended either" in fleet.letters()[0]


def test_a_decider_that_lives_or_stops_well_leaves_no_trace() -> None:
    fleet = Fleet("nothing")
    fleet.site.starts("run-1", "run-2")
    taken = fleet.site.outside
    taken.consume(START_QUEUE, 10)
    taken.reject(taken.receive(10, 0))
    taken.cancel(START_QUEUE)
    fleet.run_until_idle()
    assert (fleet.deaths, fleet.in_hand(), len(fleet.letters())) == (0, 0, 0)
    assert fleet.site.runs("run-1", "run-2") == ["run-1", "run-2"]


def deliveries(*redelivered: bool) -> list[Delivery]:
    return [
        Delivery(message=Message(queue="q", body=str(number).encode()), queue="q", redelivered=each)
        for number, each in enumerate(redelivered)
    ]


def test_what_comes_back_without_a_death_goes_together_and_the_others_alone() -> None:
    held = deliveries(True, True, True, True, False, False)
    found = list(portions(held, ["a", "b", "c", "d"], {"b": 2}))
    assert [(len(each.deliveries), each.digests, each.deaths) for each in found] == [
        (1, ("a",), 0),
        (1, ("b",), 2),
        (2, ("c", "d"), 0),
        (2, (), 0),
    ]
    assert [delivery for each in found for delivery in each.deliveries] == held
