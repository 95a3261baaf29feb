"""What one more child or iteration costs the road is the same, however many there are: calls counted, not seconds."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType

from engine.testing.harness import Harness
from engine.wire.message import Delivery
from tests.profiled import profiled

#: How much more of a cost for each may be what is shared by all, in the smaller of two sizes or the larger one.
NEARLY = 1.1

CHILD = {"name": "child", "tasks": [{"name": "empty", "taskReferenceName": "only"}]}
FORK = {
    "name": "fork",
    "taskReferenceName": "fork",
    "type": "FORK_JOIN_DYNAMIC",
    "inputParameters": {"forkTaskWorkflow": "child", "forkTaskInputs": "${workflow.input.children}"},
}
PARENT = {"name": "parent", "tasks": [FORK, {"name": "join", "taskReferenceName": "join", "type": "JOIN"}]}
LOOP = {
    "name": "loop",
    "taskReferenceName": "loop",
    "type": "DO_WHILE",
    "inputParameters": {"times": "${workflow.input.times}"},
    "loopCondition": "$.loop['iteration'] < $.times",
    "loopOver": [{"name": "empty", "taskReferenceName": "again"}],
}
BODY = {"name": "empty", "taskReferenceName": "once", "inputParameters": {"item": "${each.output.loopItem}"}}
EACH = {
    "name": "each",
    "taskReferenceName": "each",
    "type": "DO_WHILE",
    "items": "${workflow.input.items}",
    "loopOver": [BODY],
}


class Calls:
    """Functions called while the road carries batches."""

    def __init__(self, harness: Harness) -> None:
        self.number = 0
        self._handle = harness.executor.handle
        harness.executor.handle = self._counted  # type: ignore[method-assign]

    def _counted(self, deliveries: Sequence[Delivery]) -> None:
        with profiled(self._count):
            self._handle(deliveries)

    def _count(self, _frame: FrameType, event: str, _argument: object) -> None:
        self.number += event in ("call", "c_call")


def calls_for_each(workflow: str, size: int, given: dict[str, object]) -> float:
    harness = Harness()
    harness.register(CHILD, PARENT, {"name": "looping", "tasks": [LOOP]}, {"name": "listing", "tasks": [EACH]})
    calls = Calls(harness)
    run = harness.start(workflow, given)
    harness.work({"empty": lambda _: {"n": 1}})
    assert harness.run(run).status == "COMPLETED"
    return calls.number / size


def test_a_child_among_a_hundred_and_fifty_costs_as_much_as_among_fifty() -> None:
    few, many = (calls_for_each("parent", size, {"children": [{}] * size}) for size in (50, 150))
    assert many <= NEARLY * few


def test_an_iteration_of_a_hundred_and_fifty_costs_as_much_as_one_of_fifty() -> None:
    few, many = (calls_for_each("looping", size, {"times": size}) for size in (50, 150))
    assert many <= NEARLY * few


def test_an_item_of_a_hundred_and_fifty_costs_as_much_as_one_of_fifty() -> None:
    few, many = (calls_for_each("listing", size, {"items": [{"n": n} for n in range(size)]}) for size in (50, 150))
    assert many <= NEARLY * few
