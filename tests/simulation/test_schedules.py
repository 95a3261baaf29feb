"""Schedules in stories of crashes: however often timekeepers, deciders and the broker die, each date has one run."""

from __future__ import annotations

from random import Random

import pytest

from engine.model.schedule import OverlapPolicy
from tests.simulation.scenario import BROKER_POINTS, STORE_POINTS, Happening, Scenario, scenario
from tests.simulation.story import tell

#: Steps during which somebody dies.
_TROUBLED = 600


def troubles(seed: int) -> list[Happening]:
    """Return deaths of everybody, most of all of timekeepers, and lines cut in the middle of a publication."""
    random, found = Random(seed), []
    for _ in range(25):
        process = random.choice(("timekeeper", "timekeeper", "timekeeper", "decider-1", "decider-2"))
        at, late = random.randint(1, _TROUBLED), random.random() < 0.3
        found.append(["crash", at, process, random.choice(STORE_POINTS + BROKER_POINTS), late])
    found += [
        ["cut", random.randint(1, _TROUBLED), "timekeeper", point] for point in ("publishing", "half", "published")
    ]
    if random.random() < 0.5:
        found.append(["wipe_with", random.randint(1, _TROUBLED), "start"])
    return found


@pytest.mark.parametrize("seed", range(40))
def test_each_date_has_one_run_whoever_dies(seed: int) -> None:
    policy, drawn = list(OverlapPolicy)[seed % len(OverlapPolicy)], scenario(seed)
    verdict = tell(Scenario(seed, [], troubles(seed), drawn.settings, drawn.starter, policy.value))
    assert verdict.fault is None, f"{verdict.rule}: {verdict.fault}"
