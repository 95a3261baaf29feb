"""WAIT and HUMAN: tasks that a date or a person ends (Conductor 3.11, 3.12)."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from tests.unit.decider.steps import echo, fork, inputs, run_of, step


def wait(ref="w", **parameters):
    return step(ref, "WAIT", **inputs(**parameters))


@pytest.mark.parametrize(
    ("duration", "seconds"), [("10s", 10), ("1m 5 seconds", 65), ("2 HOURS", 7_200), ("1d", 86_400)]
)
def test_it_lasts_as_long_as_it_says(harness, duration, seconds):
    run = run_of(harness, wait(duration=duration), step("after"))
    harness.advance(seconds - 0.001)
    assert harness.statuses(run) == {"w": "IN_PROGRESS"}
    harness.restart_decider()
    harness.advance(0.001)
    assert harness.statuses(run) == {"w": "COMPLETED", "after": "SCHEDULED"}


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        ("2030-01-02", 86_400),
        ("2030-01-01 01:00", 3_600),
        ("2030-01-01 01:00 GMT+01:00", 0),
        ("2030-01-01 01:00 PST", 32_400),
    ],
)
def test_it_lasts_until_the_date_that_it_names(harness, until, seconds):
    run = run_of(harness, wait(until=until))
    if seconds:
        harness.advance(seconds - 1)
        assert harness.task(run, "w").status == "IN_PROGRESS"
        harness.advance(1)
    assert harness.task(run, "w").status == "COMPLETED"


def test_a_date_that_has_passed_completes_it_at_once(harness):
    assert harness.run(run_of(harness, wait(until="2001-01-01"))).status == "COMPLETED"


def test_without_a_date_it_waits_for_a_signal(harness):
    run = run_of(harness, wait(), step("after"))
    harness.advance(10_000_000)
    assert harness.request(run, "signal", output={"v": 1}).granted
    assert harness.task(run, "w").output == {"v": 1}
    assert "after" in harness.statuses(run)


@pytest.mark.parametrize("duration", ["1 s 2 m", "5", "1.5h", "P1D", "soon", "10ms", ""])
def test_a_senseless_duration_is_refused_when_it_is_registered(harness, duration):
    with pytest.raises(BadDefinition, match="Not valid duration"):
        run_of(harness, wait(duration=duration))


@pytest.mark.parametrize(
    ("field", "value"),
    [("duration", "abc"), ("duration", 5), ("duration", "9999999d"), ("until", "tomorrow"), ("until", "2030-02-31")],
)
def test_a_senseless_value_found_at_run_time_fails_the_run_at_once(harness, field, value):
    run = run_of(harness, wait(**{field: "${workflow.input.v}"}), given={"v": value})
    assert harness.task(run, "w").status == "FAILED_WITH_TERMINAL_ERROR"
    assert harness.run(run).status == "FAILED"
    assert harness.executor.counts.given_up == 0


def test_both_fields_together_are_refused(harness):
    with pytest.raises(BadDefinition, match="not both"):
        run_of(harness, wait(duration="1s", until="2030-01-01"))


def test_a_date_that_comes_while_the_run_is_paused_counts(harness):
    run = run_of(harness, wait(duration="10s"), step("after"))
    harness.request(run, "pause")
    harness.advance(10)
    assert harness.statuses(run) == {"w": "COMPLETED"}
    harness.request(run, "resume")
    assert harness.statuses(run) == {"w": "COMPLETED", "after": "SCHEDULED"}


def test_several_waits_end_each_at_its_time(harness):
    run = run_of(
        harness, *fork("f", [wait("a", duration="5s")], [wait("b", duration="2s")], [wait("c", duration="9s")])
    )
    ended = []
    for _ in range(9):
        harness.advance(1)
        ended.append(sum(status == "COMPLETED" for ref, status in harness.statuses(run).items() if ref in "abc"))
    assert ended == [0, 1, 1, 1, 2, 2, 2, 2, 3]


def test_a_person_ends_a_human_task_and_suspends_nobody_elses_timeouts(harness):
    run = run_of(harness, step("h", "HUMAN"), timeoutSeconds=60, timeoutPolicy="TIME_OUT_WF")
    harness.advance(59)
    assert harness.task(run, "h").status == "IN_PROGRESS"
    harness.advance(1)
    assert harness.run(run).status == "TIMED_OUT"


def test_a_signal_may_fail_the_task(harness):
    run = run_of(harness, step("h", "HUMAN"))
    harness.request(run, "signal", status="FAILED", reason="declined")
    assert harness.task(run, "h").reason == "declined"
    assert harness.run(run).status == "FAILED"


def test_a_dynamic_task_may_become_a_wait(harness):
    fields = {"dynamicTaskNameParam": "which", **inputs(which="WAIT", duration="3s")}
    run = run_of(harness, step("d", "DYNAMIC", **fields))
    harness.advance(3)
    assert harness.run(run).status == "COMPLETED"
    assert harness.work({"d": echo}) == 0
