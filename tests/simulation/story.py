"""Tells a story to its end, and compares what came out with the same workflows when nothing goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog
from msgspec import Struct

from engine.model.status import TaskStatus, WorkflowStatus
from tests.simulation.invariants import Violated
from tests.simulation.scenario import Scenario
from tests.simulation.world import World

#: Names that differ from story to story because they follow from the order in which tasks were scheduled.
_IDS = frozenset({"subWorkflowId", "workflowId"})


class Verdict(Struct):
    """What is wrong with a story (None: nothing), and what it went through."""

    seed: int
    fault: str | None
    steps: int
    runs: int = 0
    crashes: dict[str, int] = {}
    recalled: int = 0
    conflicts: int = 0
    compared: int = 0
    trace: list[str] = []


def tell(scenario: Scenario, *, trace: bool = False) -> Verdict:
    """Tell the story; every kind of exception is a fault of the engine, or of the simulation."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    world = World(scenario, trace=trace)
    fault, compared = None, 0
    try:
        world.run()
        compared = _compare(world)
    except Violated as violated:
        fault = str(violated)
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        if trace:
            import traceback

            world.note(traceback.format_exc())
    return Verdict(
        seed=scenario.seed,
        fault=fault,
        steps=world.step,
        runs=len(world.store._tables.workflows),
        crashes=world.crashes,
        recalled=world.invariants.recalled,
        conflicts=world.invariants.conflicts,
        compared=compared,
        trace=world.trace or [],
    )


def _compare(world: World) -> int:
    """Return how many roots have come out as they do when nothing goes wrong; raise Violated for one that has not."""
    names = world.unchanged_roots()
    if not names or not world.scenario.happenings:
        return 0
    plain = World(world.scenario.plain())
    plain.run()
    for name in names:
        expected, found = outcome(plain, name), outcome(world, name)
        for path, wanted, got in _differences(expected, found, name):
            raise Violated(f"{path} is {got} and would be {wanted} without faults")
    return len(names)


def outcome(world: World, workflow_id: str) -> dict[str, Any] | None:
    """Return what has become of a run and of all that it started, without what the order of events may change."""
    rows = world.rows(workflow_id)
    if rows is None:
        return None
    workflow = rows.workflow
    found: dict[str, Any] = {"status": workflow.status.value}
    if workflow.failure_workflow_id:
        found["failure workflow"] = outcome(world, workflow.failure_workflow_id)
    if workflow.status is not WorkflowStatus.COMPLETED or any(task.type == "TERMINATE" for task in rows.tasks):
        # When one branch fails, how far the others have come is a matter of time.
        return found
    found["output"] = _without_ids(workflow.output)
    for task in rows.tasks:
        key = f"{task.ref}#{task.attempt}"
        found[key] = {"status": task.status.value}
        if task.status is TaskStatus.COMPLETED:
            found[key]["output"] = _without_ids(task.output)
        if task.child_id:
            found[key]["run"] = outcome(world, task.child_id)
    return found


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(part) for key, part in value.items() if key not in _IDS}
    return [_without_ids(part) for part in value] if isinstance(value, list) else value


def _differences(expected: Any, found: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if not isinstance(expected, dict) or not isinstance(found, dict):
        if expected != found:
            yield path, expected, found
        return
    for key in dict.fromkeys((*expected, *found)):
        yield from _differences(expected.get(key), found.get(key), f"{path}/{key}")
