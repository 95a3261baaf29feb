"""Five hundred stories of crashes, lost lines, doubled and disordered messages: nothing is lost, nothing is stuck."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.__main__ import explain, tell_many
from tests.simulation.scenario import scenario
from tests.simulation.shrink import shrink
from tests.simulation.story import tell

SEEDS = int(os.environ.get("BATON_TEST_SEEDS", "500"))


@pytest.mark.timeout(600)
def test_whatever_goes_wrong_every_workflow_ends_and_nothing_is_lost():
    verdicts = tell_many(range(SEEDS), os.cpu_count() or 1)
    failed = [verdict for verdict in verdicts if verdict.fault is not None]
    assert not failed, explain(failed[0].seed)
    assert sum(verdict.compared for verdict in verdicts) > SEEDS / 2, "hardly any outcome was compared"


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
