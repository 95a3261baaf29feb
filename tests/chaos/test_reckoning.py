"""The chaos would notice: what is promised and not kept is told, and every kind of fault comes."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.faults import FAULTS, TARGETS, schedule
from tests.chaos.journal import Start
from tests.chaos.reckoning import executions, wrong
from tests.chaos.recovery import Recovery
from tests.chaos.report import Report


def a_run(name: str, **fields: Any) -> dict[str, Any]:
    """Return a run as the observer sees it."""
    return {"id": "run", "name": name, "status": "COMPLETED", "reason": None, "output": {}, "parent": None, **fields}


START = Start("run", "message", "chaos_chain", 3, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_of_fault_comes_once_before_any_comes_again(seed: int) -> None:
    faults = list(islice(schedule(seed, tuple(FAULTS)), 2 * len(FAULTS)))
    first, second = faults[: len(FAULTS)], faults[len(FAULTS) :]
    assert {each.kind for each in first} == {each.kind for each in second} == set(FAULTS)
    assert faults == list(islice(schedule(seed, tuple(FAULTS)), 2 * len(FAULTS)))


@pytest.mark.parametrize("seed", range(20))
def test_what_has_a_target_is_measured_alone(seed: int) -> None:
    faults = list(islice(schedule(seed, tuple(FAULTS)), 3 * len(FAULTS)))
    several = {each.kind for pair in pairwise(faults) if pair[0].hurried for each in pair}
    assert not TARGETS.keys() & several


def test_a_run_that_came_to_what_its_input_says_is_right() -> None:
    assert wrong([a_run("chaos_chain", output={"sum": 7})], [START]) == []


@pytest.mark.parametrize(
    "run",
    [
        a_run("chaos_chain", output={"sum": 8}),
        a_run("chaos_chain", status="FAILED"),
        a_run("chaos_nested", output={"sum": 28}),
        a_run("chaos_hopeless", status="FAILED", output={"conductor.failure_workflow": "nobody"}),
    ],
    ids=["another sum", "another status", "children that are missing", "a failure workflow that never ran"],
)
def test_a_run_that_came_to_something_else_is_told(run: dict[str, Any]) -> None:
    assert len(wrong([run], [START])) == 1


def test_an_attempt_that_was_executed_twice_is_counted_once(tmp_path: Path) -> None:
    file = tmp_path / "executions"
    file.write_text("run.1 add\nrun.2 add\nrun.1 add\nrun.1 add\n")
    assert executions(file) == (4, 1)


def test_every_promise_that_was_not_kept_is_in_the_verdict() -> None:
    report = Report("make chaos", "servers", stuck=["run"], lost=["start"], wiped=2, wiped_and_ended=1)
    report.deaths["decider one"] += 1
    report.recoveries["decider killed"] = [Recovery(1.0, 2.0), Recovery(5.5, 0.1)]
    report.recoveries["worker killed"] = [Recovery(None, 1.0)]
    assert report.faults() == [
        "1 stuck",
        "1 lost",
        "1 gone with the disk and not ended when published again",
        "1 processes that ended unasked",
        "decider killed: work went on after 5.5 s, not within 5 s",
        "worker killed: work went on after inf s, not within 11 s",
    ]
    assert Report("make chaos", "servers").faults() == []


def test_the_tables_can_stand_on_a_page() -> None:
    report = Report("make chaos SEED=1", "servers", confirmed=12)
    report.injected["broker wiped"] += 1
    report.recoveries["broker wiped"] = [Recovery(4.25, None)]
    lines = report.markdown().splitlines()
    assert lines[0] == "    make chaos SEED=1"
    assert "| broker wiped | 1 | 4.2 | never |  |" in lines
    assert "| starts confirmed | 12 |" in lines
