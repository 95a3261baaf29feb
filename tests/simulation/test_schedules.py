"""Schedules in stories of crashes: however often timekeepers, deciders and the broker die, each date has one run."""

from __future__ import annotations

from random import Random

import pytest

from engine.api import schedules
from engine.clock import SECOND, Instant, after, milliseconds
from engine.decider.validate import check_workflow
from engine.model.execution import NEVER
from engine.model.schedule import ExecutionState, OverlapPolicy
from engine.store.schedule_port import ExecutionQuery
from engine.wire.schedule_json import run_of
from tests.simulation.scenario import BROKER_POINTS, STORE_POINTS, Happening, Scenario, scenario
from tests.simulation.world import World

#: Dates of the schedule, one each second of the story.
_DATES = 20

#: Steps during which somebody dies.
_TROUBLED = 600


class Calendar(World):
    """A story in which runs are started by a schedule alone; it ends when every date has one."""

    def __init__(self, scenario: Scenario, policy: OverlapPolicy) -> None:
        super().__init__(scenario)
        self.begin = Instant(self.clock.now() - self.clock.now() % SECOND)
        step = {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}
        with self.store.transaction() as transaction:
            transaction.register_workflow(check_workflow({"name": "tick", "tasks": [step]}), overwrite=True)
        document = {
            "name": "ticks",
            "cronExpression": "* * * * * *",
            "scheduleEndTime": milliseconds(after(self.begin, _DATES)),
            "runCatchupScheduleInstances": True,
            "overlapPolicy": policy.value,
            "startWorkflowRequest": {"name": "tick"},
        }
        schedules.save(self.store, document, self.clock.now())

    def _open_runs(self) -> list[str]:
        with self.store.transaction() as transaction:
            row = transaction.schedule("ticks")
            waiting = [each.id for each in transaction.unseen_executions(_DATES)]
        assert row is not None
        to_come = row.progress.next_at != NEVER or row.progress.buffered_at != NEVER
        return super()._open_runs() + waiting + ["a date to come"] * to_come


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
    policy = list(OverlapPolicy)[seed % len(OverlapPolicy)]
    story = scenario(seed)
    world = Calendar(Scenario(seed, [], troubles(seed), story.settings, starter=story.starter), policy)
    world.run()
    with world.store.transaction() as transaction:
        _, found = transaction.executions(ExecutionQuery())
    dates = {after(world.begin, number) for number in range(1, _DATES + 1)}
    started = {each.id for each in found if each.state is ExecutionState.EXECUTED}
    runs = {rows.workflow.id for rows in world.every_run()}
    assert {each.at for each in found} == dates
    assert runs == started
    if policy is OverlapPolicy.ALLOW:
        assert runs == {run_of("ticks", date) for date in dates}
