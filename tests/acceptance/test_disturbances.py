"""Processes are killed, stopped and frozen and lines are cut, one after the other; all work ends well."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.gated import Gated, chains_end_well, start_chains, under_way
from tests.acceptance.processes import Process

#: Of the order of the disturbances; another one is as good.
SEED = 20

#: Seconds for which a process is frozen: longer than a lease of partitions, so that others take its share.
FROZEN = 4.0


@pytest.fixture(params=["postgres_url", pytest.param("mysql_url", marks=pytest.mark.servers("mysql"))])
def gated(request: pytest.FixtureRequest, rabbitmq_url: str, tmp_path: Path) -> Iterator[Gated]:
    with Gated.running(tmp_path, request.getfixturevalue(request.param), rabbitmq_url) as gated:
        yield gated


def test_whatever_happens_to_processes_and_lines_all_work_ends_well(gated: Gated) -> None:
    stack = gated.stack
    deciders = [stack.baton("decider"), stack.baton("decider")]
    stack.ready(*deciders)

    def kill(place: int) -> None:
        deciders[place].kill()
        deciders[place] = stack.baton("decider")

    def stop(place: int) -> None:
        deciders[place].ask_to_stop()
        assert deciders[place].wait(60) == 0
        deciders[place] = stack.baton("decider")

    def freeze(place: int) -> None:
        frozen(deciders[place])

    def cut_broker(_: int) -> None:
        gated.broker.cut()

    def cut_database(_: int) -> None:
        gated.database.cut()

    disturbances: list[Callable[[int], None]] = [kill, stop, freeze, cut_broker, cut_database, kill, cut_broker]
    chance = random.Random(SEED)
    chance.shuffle(disturbances)
    batches = []
    for disturb in disturbances:
        runs = start_chains(stack, 8)
        batches.append(runs)
        under_way(stack, runs)
        disturb(chance.randrange(len(deciders)))
    stack.healthy()
    for runs in batches:
        chains_end_well(stack, runs)


def frozen(process: Process) -> None:
    """Freeze a process for longer than its leases last."""
    process.tell(signal.SIGSTOP)
    time.sleep(FROZEN)
    process.tell(signal.SIGCONT)
