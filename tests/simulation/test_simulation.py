"""Five hundred stories of crashes, lost lines, doubled and disordered messages: nothing is lost, nothing is stuck."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine.operations import operations
from engine.tasks import task_types
from tests.simulation.__main__ import explain, tell_many
from tests.simulation.account import Account, Kind
from tests.simulation.directed import DIRECTED
from tests.simulation.scenario import POINTS, scenario
from tests.simulation.shrink import shrink
from tests.simulation.story import Verdict, tell

SEEDS = int(os.environ.get("BATON_TEST_SEEDS", "600"))


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return tell_many(range(-DIRECTED, SEEDS), os.cpu_count() or 1)


@pytest.mark.timeout(600)
def test_whatever_goes_wrong_every_workflow_ends_and_nothing_is_lost(verdicts):
    failed = [verdict for verdict in verdicts if verdict.fault is not None]
    assert not failed, explain(failed[0].seed)
    assert sum(verdict.compared for verdict in verdicts) > SEEDS / 2, "hardly any outcome was compared"


@pytest.mark.timeout(600)
def test_a_crash_after_the_commit_is_tried_for_every_kind_of_command_also_with_newer_news_first(verdicts):
    account = Account()
    for verdict in verdicts:
        account.add(verdict.account)
    assert set(account.after_commit) == set(Kind), "no crash has kept these from being sent"
    assert set(account.overtaken) == set(Kind), "no event of these kinds came again after newer news"
    assert set(account.points) == set(POINTS)


@pytest.mark.timeout(600)
def test_every_type_of_task_is_part_of_some_story(verdicts):
    seen = set().union(*(verdict.types for verdict in verdicts))
    assert seen >= task_types().keys()


@pytest.mark.timeout(600)
def test_every_operation_is_granted_in_some_story(verdicts):
    assert set().union(*(verdict.verbs for verdict in verdicts)) >= operations().keys()


def test_a_story_is_told_the_same_again_in_another_process():
    program = "from tests.simulation.story import tell; from tests.simulation.scenario import scenario\n"
    program += "for seed in range(20): print('\\n'.join(tell(scenario(seed), trace=True).trace))"
    told = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": salt}, check=True, capture_output=True
        ).stdout
        for salt in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0].count(b"\n") > 500


def test_a_failing_story_is_made_smaller(monkeypatch):
    # Given an engine that forgets what an event commanded once it has stored it
    monkeypatch.setattr("engine.executor.recall", lambda unconfirmed, event_id: None)
    failing = next(each for each in map(scenario, range(200)) if tell(each).fault is not None)
    small, verdict = shrink(failing)
    assert verdict.fault is not None
    assert len(small.roots) == 1
    assert len(small.happenings) <= 3
    assert len(small.happenings) < len(failing.happenings)
