"""Reports on their way to the road, and where tasks came from."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from engine.broker.port import Unsendable
from engine.errors import BrokerUnavailable
from engine.model.request import Outcome, Request
from engine.polling.reports import Origins, Reports

_GRANTED = Outcome(granted=True)


def _add(reports: Reports, workflow_id: str = "w") -> Future[Outcome]:
    return reports.add(Request(event_id=f"e-{workflow_id}", workflow_id=workflow_id, verb="update_task"), "replies")


def test_each_report_goes_out_once_and_its_outcome_comes_to_whoever_sent_it() -> None:
    reports = Reports(1)
    outcomes = [_add(reports, workflow_id) for workflow_id in ("v", "w")]
    assert len(reports) == 2
    first, second = reports.take()
    assert (len(reports), first.reply_to, first.message_id) == (0, "replies", "e-v")
    reports.settle(str(second.correlation_id), _GRANTED)
    assert outcomes[1].result(0) is _GRANTED
    assert not outcomes[0].done()
    assert reports.unanswered == 1


def test_an_answer_that_nobody_waits_for_is_passed_over() -> None:
    reports = Reports(1)
    _add(reports).cancel()
    (message,) = reports.take()
    assert reports.unanswered == 0
    reports.settle(str(message.correlation_id), _GRANTED)


def test_who_sent_what_the_broker_refuses_is_told_and_nobody_else() -> None:
    reports = Reports(1)
    refused, other = _add(reports, "v"), _add(reports, "w")
    reports.refuse([(reports.take()[0], "it is too large")])
    with pytest.raises(Unsendable, match="too large"):
        refused.result(0)
    assert not other.done()


def test_everybody_is_told_that_the_connection_is_gone() -> None:
    reports = Reports(1)
    outcomes = [_add(reports), _add(reports)]
    reports.fail(BrokerUnavailable("gone"))
    for outcome in outcomes:
        with pytest.raises(BrokerUnavailable, match="gone"):
            outcome.result(0)
    assert (len(reports), reports.unanswered, reports.take()) == (0, 0, [])


def test_the_origin_of_a_task_is_told_once_and_the_oldest_are_forgotten() -> None:
    origins = Origins(most=2)
    for number in range(3):
        origins.note(f"t{number}", "resize")
    assert [origins.take("t0"), origins.take("t1"), origins.take("t1")] == [None, "resize", None]
