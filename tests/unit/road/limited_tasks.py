"""A harness with limited tasks, and what tests do with it."""

from __future__ import annotations

from engine.decider.validate import check_task
from engine.model.status import Slot
from engine.testing.harness import Harness

RUNS = ("one", "two", "three")


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


def limited(name: str = "scarce", **fields: object) -> dict[str, object]:
    return {"name": name, "concurrentExecLimit": 1, "retryCount": 1, "retryDelaySeconds": 5, **fields}


def limited_tasks() -> Harness:
    """Return a harness with a workflow of one limited task, one of one that is not, and one with both."""
    harness = Harness()
    harness.register(
        {"name": "single", "tasks": [step("scarce")]},
        {"name": "plain", "tasks": [step("plenty")]},
        {
            "name": "both",
            "tasks": [
                step("fork", "FORK_JOIN", forkTasks=[[step("scarce")], [step("plenty")]]),
                step("join", "JOIN", joinOn=["scarce", "plenty"]),
            ],
        },
        tasks=[limited(), {"name": "plenty"}],
    )
    return harness


def start(harness: Harness, *runs: str, workflow: str = "single") -> None:
    for run in runs:
        harness.start(workflow, workflow_id=run)
        harness.clock.advance(0.001)


def slots(harness: Harness, *runs: str) -> list[Slot]:
    return [harness.task(run, "scarce").slot for run in runs]


def out(harness: Harness) -> list[str]:
    """Return the runs whose limited task was taken from its queue just now."""
    return [str(each.message.correlation_id) for each in harness.take("scarce")]


def complete(harness: Harness, run: str) -> None:
    harness.request(run, "update_task", ref="scarce", status="COMPLETED")


def define(harness: Harness, **fields: object) -> None:
    with harness.store.transaction() as transaction:
        transaction.register_tasks([check_task(limited(**fields))])
