"""What has become of a run and of all that it started, without what the order of events may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.model.status import TaskStatus, WorkflowStatus
from tests.simulation.answers import plain_ref

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Marks what a run may have forgotten.
MAY_BE_GONE = "may be gone"

_CHILD = "subWorkflowId"
#: Ids differ from story to story because they follow from the order in which tasks were scheduled.
_IDS = frozenset({_CHILD, "workflowId", "taskId", "id", "receivedAt"})


def outcome(world: World, workflow_id: str) -> dict[str, Any] | None:
    """Return a run's status, its output and every attempt of every task, its children and its failure workflow."""
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
    names = {task.ref: plain_ref(task) for task in rows.tasks}
    found["output"] = plain_output(workflow.output, names)
    for task in rows.tasks:
        shown: dict[str, Any] = {"status": task.status.value}
        if task.status is TaskStatus.COMPLETED:
            # How a run stands in its middle is a matter of time.
            output = {"workflowName": ""} if task.type == "GET_WORKFLOW" else task.output
            shown["output"] = plain_output(output, names)
        if task.child_id:
            shown["run"] = outcome(world, task.child_id)
        found[f"{names[task.ref]}#{task.attempt}"] = shown
    return found


def plain_output(output: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return an output without ids, with plain references, and without the outputs of children inside it.

    How much of its output a failed child had is a matter of time; what children put out is compared by itself.
    """
    if "workflowName" in output:
        return {"workflowName": ""}
    return {names.get(key, key): _plain(value, names) for key, value in output.items() if key not in _IDS}


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        if "workflowName" in value:
            return {"workflowName": ""}
        return {} if _CHILD in value else plain_output(value, names)
    return [_plain(part, names) for part in value] if isinstance(value, list | tuple) else value


def lasting(shown: Any, expected: Any) -> Any:
    """Return an outcome without what need not be kept by what was expected."""
    if not isinstance(shown, dict) or not isinstance(expected, dict):
        return shown
    return {
        key: lasting(value, expected.get(key))
        for key, value in shown.items()
        if not (isinstance(expected.get(key), dict) and MAY_BE_GONE in expected[key])
    }


def differences(expected: Any, found: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each place where two outcomes differ, with what was expected and what was found."""
    if isinstance(expected, dict) and MAY_BE_GONE in expected:
        if found is None:
            return
        expected = {key: value for key, value in expected.items() if key != MAY_BE_GONE}
    if not isinstance(expected, dict) or not isinstance(found, dict):
        if expected != found:
            yield path, expected, found
        return
    for key in dict.fromkeys((*expected, *found)):
        yield from differences(expected.get(key), found.get(key), f"{path}/{key}")
