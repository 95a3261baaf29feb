"""A workflow of which one run of a key goes on at a time, and what tests do with its runs."""

from __future__ import annotations

from typing import Any

from engine.model.status import Slot
from engine.testing.harness import Harness
from engine.wire.message import DEAD_QUEUE, Delivery
from tests.unit.decider.steps import step

RUNS = ("one", "two", "three")


def limited(limit: int = 1, key: str = "${workflow.correlationId}", **fields: Any) -> dict[str, Any]:
    config = {"rateLimitKey": key, "concurrentExecLimit": limit, "policy": fields.pop("policy", "QUEUE")}
    return {"name": "limited", "tasks": [step("a"), step("b")], "rateLimitConfig": config, **fields}


def start(harness: Harness, *runs: str, **fields: Any) -> None:
    for run in runs:
        harness.start("limited", workflow_id=run, **fields)
        harness.clock.advance(0.001)


def out(harness: Harness, queue: str = "a") -> list[str]:
    """Return the runs whose task was taken from its queue just now."""
    return [str(each.message.correlation_id) for each in harness.take(queue)]


def dead(harness: Harness) -> list[Delivery]:
    return harness.road.peek(DEAD_QUEUE, 100)


def finish(harness: Harness, *runs: str) -> None:
    for run in runs:
        for ref in ("a", "b"):
            assert harness.request(run, "update_task", ref=ref, status="COMPLETED").granted


def fail(harness: Harness, run: str) -> None:
    harness.request(run, "update_task", ref="a", status="FAILED")


def slots(harness: Harness, *runs: str) -> list[Slot]:
    return [harness.run(run).slot for run in runs]


def an_engine_with_a_limit() -> Harness:
    harness = Harness()
    harness.register(limited(), tasks=[{"name": "a", "retryCount": 0}])
    return harness
