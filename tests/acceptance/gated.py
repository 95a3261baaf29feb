"""A small stack whose way to broker and database leads through proxies, and the work that it does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.processes import ROOT, until
from tests.acceptance.stack import HASTE, Stack, simple, task_def, vanilla, workflow
from tests.tcp_proxy import TcpProxy

#: Steps of a chain: enough that it is not over before it is disturbed.
STEPS = 12


class Gated:
    """The stack, its proxies, and what of it is expected to notice that a server is away."""

    def __init__(self, stack: Stack, broker: TcpProxy, database: TcpProxy, app: str) -> None:
        self.stack = stack
        self.processes = stack.processes
        self.broker = broker
        self.database = database
        self._starter = stack.baton("starter")
        self._busy = [stack.baton(name) for name in ("decider", "timekeeper")]
        self._worker = stack.celery(app, f"worker-{app}", "-c", "2", "-Q", "add", **apps(stack))
        stack.serve()
        stack.ready(self._starter, *self._busy, self._worker)
        define_chain(stack)
        self._missed = self._misses()

    @classmethod
    @contextmanager
    def running(
        cls,
        folder: Path,
        database_url: str,
        broker_url: str,
        pauses: Mapping[str, str] = HASTE,
        app: str = "vanilla",
    ) -> Iterator[Gated]:
        """Give the stack while it runs; ``pauses`` as for a ``Stack``, ``app`` is the worker's."""
        broker, database = TcpProxy(broker_url, 5672), TcpProxy(database_url, 5432)
        stack = Stack(folder, database.url, broker.url, pauses)
        try:
            yield cls(stack, broker, database, app)
        finally:
            stack.close()
            broker.close()
            database.close()

    def chains(self, count: int) -> list[str]:
        """Start that many chains."""
        self._missed = self._misses()
        return start_chains(self.stack, count)

    def are_under_way(self, runs: Sequence[str]) -> None:
        """Wait until they have begun; they are far from their end then."""
        under_way(self.stack, runs)

    def miss_something(self) -> bool:
        """Tell whether every service has noticed that a server is away, since the chains were started.

        A starter that has nothing to do asks nothing of the database, and may not.
        """
        return all(now > before for now, before in zip(self._misses(), self._missed, strict=True))

    def all_alive(self) -> bool:
        """Tell whether every process still runs."""
        return all(process.alive() for process in (self._starter, *self._busy, self._worker))

    def all_end_well(self, runs: Sequence[str]) -> None:
        """Wait for the chains' ends, which must be good."""
        chains_end_well(self.stack, runs)

    def _misses(self) -> list[int]:
        return [process.log().count("server.away") for process in self._busy]


def apps(stack: Stack) -> dict[str, str]:
    """Return what the apps of workers need to know; one that is connected imports what is ours."""
    known = vanilla(stack)
    return {**known, "PYTHONPATH": f"{known['PYTHONPATH']}{os.pathsep}{ROOT}"}


def define_chain(stack: Stack) -> None:
    """Register a workflow that adds one again and again."""
    first = simple("add", "add_1", left="${workflow.input.start}", right=1)
    rest = [simple("add", f"add_{n}", left=f"${{add_{n - 1}.output.sum}}", right=1) for n in range(2, STEPS + 1)]
    stack.define(
        workflow("chain", first, *rest, outputParameters={"sum": f"${{add_{STEPS}.output.sum}}"}),
        # Far longer than the test has patience: nothing that gets lost is mended by a timeout.
        tasks=[task_def("add", responseTimeoutSeconds=600)],
    )


def start_chains(stack: Stack, count: int) -> list[str]:
    """Start that many chains; each begins with another number."""
    return [stack.start("chain", input={"start": number}) for number in range(count)]


def under_way(stack: Stack, runs: Sequence[str]) -> None:
    """Wait until one of the chains has begun."""
    until("the work has begun", lambda: any(len((stack.run(each) or {}).get("tasks", ())) > 1 for each in runs))


def chains_end_well(stack: Stack, runs: Sequence[str]) -> None:
    """Wait for the chains' ends; every step has been counted once."""
    for number, each in enumerate(runs):
        run = stack.ended(each)
        assert (run["status"], run["output"]) == ("COMPLETED", {"sum": number + STEPS})
        assert len(run["tasks"]) == STEPS
