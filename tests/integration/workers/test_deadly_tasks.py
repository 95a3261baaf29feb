"""Tasks that take their worker along: they fail after a bounded number of deaths, and what ran beside them does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from engine.broker.opening import open_broker
from engine.config import Settings
from tests.integration.workers.driven_road import Engine

if TYPE_CHECKING:
    import subprocess

    from tests.integration.workers.conftest import Launcher

#: Workers that may be lost with a task before it ends.
LIMIT = 2

#: Seconds for several workers to start and die, one after the other.
PATIENCE = 90.0

ENDED = {"COMPLETED", "FAILED"}


@pytest.fixture
def engine(vhost: str) -> Iterator[Engine]:
    broker = open_broker(vhost)
    yield Engine(broker, Settings(redelivery_limit=LIMIT))
    broker.close()


class Supervisor:
    """Starts a worker anew whenever it has died, as systemd and Kubernetes do."""

    def __init__(self, launch: Launcher, pool: str, domain: str) -> None:
        self._launch = launch
        self._arguments = (pool, domain)
        self._worker = self._start()
        self.deaths = 0

    def _start(self) -> subprocess.Popen[bytes]:
        pool, domain = self._arguments
        return self._launch.worker(pool, SHOP_CONNECTED=domain)

    def keep_alive(self) -> None:
        """Start the worker if it is dead."""
        if self._worker.poll() is not None:
            self.deaths += 1
            self._worker = self._start()


def ended(engine: Engine, supervisor: Supervisor, *runs: str) -> None:
    def look() -> bool:
        supervisor.keep_alive()
        return {engine.status(run) for run in runs} <= ENDED

    engine.carry_until(look, PATIENCE)


@pytest.mark.parametrize(("pool", "kind"), [("threads", "exit"), ("prefork", "parent")])
def test_a_task_that_kills_worker_after_worker_fails_and_spares_those_beside_it(
    engine: Engine, launch: Launcher, pool: str, kind: str
) -> None:
    domain = f"deadly-{pool}"
    engine.run(f"{pool}-culprit", "die", domain=domain, kind=kind)
    neighbours = [f"{pool}-neighbour-{number}" for number in range(2)]
    for run in neighbours:
        engine.run(run, "wait", domain=domain, seconds=1)
    supervisor = Supervisor(launch, pool, domain)

    ended(engine, supervisor, f"{pool}-culprit", *neighbours)

    assert {engine.status(run) for run in neighbours} == {"COMPLETED"}
    culprit = engine.task(f"{pool}-culprit")
    assert culprit.status == "FAILED"
    assert f"{LIMIT + 1} workers in a row were lost with the task" in str(culprit.reason)
    assert supervisor.deaths == LIMIT + 1
    engine.run(f"{pool}-later", "give", domain=domain, kind="dict")
    ended(engine, supervisor, f"{pool}-later")
    assert (engine.status(f"{pool}-later"), supervisor.deaths) == ("COMPLETED", LIMIT + 1)
    # The message is gone too: nobody will ever be killed by it again.
    engine.carry_until(lambda: engine.broker.ready(f"{domain}:die") == 0)


def test_a_task_that_leaves_its_process_of_a_pool_fails_at_once(engine: Engine, launch: Launcher) -> None:
    supervisor = Supervisor(launch, "prefork", "leaving")
    for kind in ("exit", "exit well"):
        run = f"leaving-by-{kind.replace(' ', '-')}"
        engine.run(run, "die", domain="leaving", kind=kind)
        ended(engine, supervisor, run)
        assert str(engine.task(run).reason).startswith("WorkerLostError")
    assert supervisor.deaths == 0
