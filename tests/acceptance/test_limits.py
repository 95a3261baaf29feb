"""Limited tasks on real servers, with two deciders: the workers themselves count how many are at work."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

import httpx
import pytest

from deploy.endpoint import Servers
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import Process, until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow
from tests.pace import within

pytestmark = pytest.mark.alone

LIMIT = 3
RUNS = 30

#: Seconds within which a freed slot has its next task at work, message to the worker included; and how many ordinary
#: steps of a workflow that may take where they are slower than that, because the machine is busy with something else.
HAND_OVER = 0.1
STEPS = 4


class Limited:
    """Two deciders, a worker with more threads than a limit allows, and its journal of visits."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.journal = folder / "journal"
        self.deciders = [stack.baton("decider") for _ in range(2)]
        options = ("-c", "8", "-P", "threads", "-Q", "visit,hold,add")
        worker = stack.celery("vanilla", "worker-vanilla", *options, **vanilla(stack))
        stack.serve()
        stack.ready(*self.deciders, stack.baton("timekeeper"), worker)
        stack.define(
            workflow("visitors", simple("visit", journal="${workflow.input.journal}", seconds=0.05)),
            workflow("holders", simple("hold", gate="${workflow.input.gate}")),
            workflow(
                "steps",
                *(simple("visit", f"visit_{n}", journal="${workflow.input.journal}", seconds=0.05) for n in range(12)),
            ),
            workflow("adders", simple("add", left=1, right=2)),
            *(
                {
                    **workflow(name, simple("visit", journal="${workflow.input.journal}", seconds=0.05)),
                    "rateLimitConfig": {
                        "rateLimitKey": "${workflow.correlationId}",
                        "concurrentExecLimit": LIMIT,
                        "policy": policy,
                    },
                }
                for name, policy in (("turns", "QUEUE"), ("now or never", "REJECT"))
            ),
        )

    def limit(self, name: str, **fields: int) -> None:
        """Register a definition with these limits; nothing that gets lost is mended by a timeout."""
        self.stack.define(tasks=[task_def(name, responseTimeoutSeconds=600, **fields)])

    def visitors(self, count: int, name: str = "visitors", **fields: object) -> list[str]:
        """Start that many visits, of any priority."""
        self.journal.unlink(missing_ok=True)
        chance = random.Random(count)
        given = {"journal": str(self.journal)}
        return [self.stack.start(name, input=given, priority=chance.randrange(100), **fields) for _ in range(count)]

    def ordinary_step(self) -> float:
        """Return how long it takes from the end of a task that nobody limits to the beginning of the next."""
        self.limit("visit")
        self.journal.unlink(missing_ok=True)
        self.all_end_well([self.stack.start("steps", input={"journal": str(self.journal)})])
        visits = self.visits()
        return median(after[0] - before[1] for before, after in pairwise(visits))

    def hands_over_at_once(self, gaps: list[float], step: float, steps: int) -> None:
        """Check these gaps, which may be so many ordinary steps of before or, as the machine gets busier, of after."""
        if median(gaps) >= max(HAND_OVER, steps * step):
            step = max(step, self.ordinary_step())
        assert median(gaps) < max(HAND_OVER, steps * step), [f"{1000 * gap:.0f} ms" for gap in (step, *gaps)]

    def visits(self) -> list[tuple[float, float]]:
        """Return when each visit began and ended; one that a broker delivered twice counts the first time."""
        moments: dict[tuple[str, str], float] = {}
        for line in self.journal.read_text().splitlines() if self.journal.exists() else ():
            moment, task, at = line.split()
            moments.setdefault((moment, task), float(at))
        begun = [task for moment, task in moments if moment == "begin"]
        return sorted((moments["begin", task], moments.get(("end", task), float("inf"))) for task in begun)

    def all_end_well(self, runs: list[str]) -> None:
        for run in runs:
            assert self.stack.ended(run)["status"] == "COMPLETED"


def most_at_once(visits: list[tuple[float, float]]) -> int:
    """Return how many were at work at the busiest moment."""
    return max(sum(begin <= moment < end for begin, end in visits) for moment, _ in visits)


@pytest.fixture(scope="module")
def limited(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    folder = tmp_path_factory.mktemp("limited")
    with own_servers(servers) as (database_url, broker_url):
        stack = Stack(folder, database_url, broker_url)
        try:
            yield Limited(stack, folder)
        finally:
            stack.close()


def test_never_more_than_the_limit_are_at_work_and_a_freed_slot_is_taken_at_once(limited: Limited) -> None:
    step = limited.ordinary_step()
    limited.limit("visit", concurrentExecLimit=LIMIT)
    runs = limited.visitors(RUNS)
    adder = limited.stack.start("adders")
    assert limited.stack.ended(adder)["status"] == "COMPLETED"
    limited.all_end_well(runs)
    visits = limited.visits()
    assert len(visits) == RUNS
    assert most_at_once(visits) == LIMIT
    ends = sorted(end for _, end in visits)
    gaps = [begin - freed for (begin, _), freed in zip(visits[LIMIT:], ends, strict=False)]
    limited.hands_over_at_once(gaps, step, STEPS)


def test_a_decider_that_is_killed_takes_no_slot_along(limited: Limited) -> None:
    limited.limit("visit", concurrentExecLimit=LIMIT)
    runs = limited.visitors(2 * RUNS)
    for place in range(2):
        until("some more were at work", lambda most=10 * (place + 1): len(limited.visits()) >= most)
        killed: Process = limited.deciders[place]
        killed.kill()
        limited.deciders[place] = limited.stack.baton("decider")
    limited.all_end_well(runs)
    visits = limited.visits()
    assert len(visits) == 2 * RUNS
    assert most_at_once(visits) <= LIMIT


def test_a_raised_limit_counts_at_once(limited: Limited, tmp_path: Path) -> None:
    limited.limit("hold", concurrentExecLimit=1)
    stack, gates = limited.stack, [tmp_path / "first", tmp_path / "second"]
    first = stack.start("holders", input={"gate": str(gates[0])})
    stack.when(first, "is handed out", lambda run: run["tasks"])
    second = stack.start("holders", input={"gate": str(gates[1])})
    stack.when(second, "waits", lambda run: run["tasks"])
    gates[1].touch()
    limited.limit("hold", concurrentExecLimit=2)
    assert stack.ended(second)["status"] == "COMPLETED"
    gates[0].touch()
    assert stack.ended(first)["status"] == "COMPLETED"


def test_a_rate_lets_the_next_ones_go_when_its_window_has_moved_on(limited: Limited) -> None:
    limited.limit("visit", rateLimitPerFrequency=2, rateLimitFrequencyInSeconds=2)
    asked = time.time()
    with within(12):
        limited.all_end_well(limited.visitors(5))
    waits = sorted(begin - asked for begin, _ in limited.visits())
    assert len(waits) == 5
    # The window is that of the grants, none of which came before it was asked for, and to the worker it takes longer.
    assert waits[2] > 1.9, waits
    assert waits[4] > 3.9, waits


def test_no_more_runs_of_one_key_go_on_than_their_workflow_allows_and_the_next_follows_at_once(
    limited: Limited,
) -> None:
    step = limited.ordinary_step()
    runs = limited.visitors(RUNS, "turns", correlationId="shop 7")
    limited.all_end_well(runs)
    visits = limited.visits()
    assert len(visits) == RUNS
    assert most_at_once(visits) == LIMIT
    ends = sorted(end for _, end in visits)
    gaps = [begin - freed for (begin, _), freed in zip(visits[LIMIT:], ends, strict=False)]
    limited.hands_over_at_once(gaps, step, 2 * STEPS)


def test_runs_that_may_not_wait_are_refused_and_never_more_than_the_limit_are_taken(limited: Limited) -> None:
    limited.limit("visit")
    limited.journal.unlink(missing_ok=True)
    given = {"journal": str(limited.journal)}
    asked = {"name": "now or never", "input": given, "correlationId": "shop 8"}
    url = f"{limited.stack.url}/api/workflow"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.post(url, json=asked, timeout=30), range(RUNS)))
    taken = [answer.text for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 409}
    limited.all_end_well(taken)
    assert most_at_once(limited.visits()) <= LIMIT
