"""chain: 500 workflows of ten empty tasks each, beside the same 5,000 tasks through bare Celery."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.cpu import Meter
from benchmarks.stack import Stack
from engine.broker.opening import open_broker
from engine.broker.port import Broker
from engine.decider.validate import check_workflow
from engine.identifier import new_id
from engine.model.event import StartWorkflow
from engine.wire.start_message import encode_start

NAME = "bench_chain"
STEPS = 10
_LISTENER = "baton.replies.benchmark"

#: Seconds after which a round that has not ended is given up.
_PATIENCE = 300


@dataclass(frozen=True)
class Round:
    """One measurement: tasks a second, and CPU milliseconds for each task by process."""

    rate: float
    cpu_ms: dict[str, float]


def definition() -> dict[str, object]:
    """Return the workflow: ten empty tasks, one after the other."""
    tasks = [{"name": "empty", "taskReferenceName": f"step_{number}"} for number in range(1, STEPS + 1)]
    return {"name": NAME, "version": 1, "tasks": tasks}


class Chain:
    """Both sides of the comparison, on one worker."""

    def __init__(self, stack: Stack, workflows: int, processes: dict[str, list[int]]) -> None:
        self._stack = stack
        self._workflows = workflows
        self._meter = Meter(processes)
        with stack.store.transaction() as transaction:
            transaction.register_workflow(check_workflow(definition()), overwrite=True)
        self._broker: Broker = open_broker(stack.broker_url)
        self._broker.subscribe(f"workflow.*.{NAME}", _LISTENER)
        self._broker.consume(_LISTENER, 10_000)

    @property
    def tasks(self) -> int:
        """How many tasks a round runs."""
        return self._workflows * STEPS

    def baton(self) -> Round:
        """Publish the start messages and wait until every workflow has completed."""
        starts = [
            encode_start(StartWorkflow(event_id=identity, workflow_id=identity, name=NAME))
            for identity in (new_id() for _ in range(self._workflows))
        ]
        self._meter.start()
        began = time.perf_counter()
        self._broker.publish(starts)
        self._wait_until_completed(began + _PATIENCE)
        seconds = time.perf_counter() - began
        return self._round(seconds)

    def _wait_until_completed(self, deadline: float) -> None:
        left = self._workflows
        while left:
            found = self._broker.receive(1_000, 1.0)
            self._broker.ack(found)
            left -= sum(1 for each in found if each.message.queue == f"workflow.completed.{NAME}")
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{left} of {self._workflows} workflows did not complete; see {self._stack.logs}")

    def celery(self) -> Round:
        """Send the same tasks through Celery itself and collect every result."""
        os.environ["BATON_BROKER_URL"] = self._stack.broker_url
        from benchmarks.worker import app, empty

        app.conf.broker_url = self._stack.broker_url
        self._meter.start()
        began = time.perf_counter()
        results = [empty.apply_async() for _ in range(self.tasks)]
        for result in results:
            result.get(timeout=_PATIENCE)
        return self._round(time.perf_counter() - began)

    def _round(self, seconds: float) -> Round:
        used = self._meter.stop()
        return Round(self.tasks / seconds, {name: 1_000 * cpu / self.tasks for name, cpu in used.items()})

    def close(self) -> None:
        """Close the connection."""
        self._broker.close()


def middle(rounds: list[Round]) -> Round:
    """Return the median of each figure."""
    names = rounds[0].cpu_ms
    return Round(
        median(each.rate for each in rounds), {name: median(each.cpu_ms[name] for each in rounds) for name in names}
    )
