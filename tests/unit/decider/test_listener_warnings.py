"""What a definition says to listeners that nobody would hear is told when it is registered."""

from __future__ import annotations

from engine.decider.validate import validate_workflow
from engine.model.payload import Json


def warnings(**more: Json) -> dict[str, str]:
    step = {"name": "n", "taskReferenceName": "n", "type": "NOOP", "onStateChange": more.pop("change", {})}
    _, found = validate_workflow({"name": "w", "tasks": [step], **more}, lambda _: {})
    return {fault.path: str(fault) for fault in found}


def test_a_sink_that_cannot_be_read() -> None:
    found = warnings(workflowStatusListenerSink="kafka:runs")
    assert "'kafka:runs' is no sink" in found["workflowStatusListenerSink"]
    assert warnings(workflowStatusListenerSink="amqp_queue:runs") == {}


def test_a_change_that_never_happens() -> None:
    found = warnings(change={"onSuccess, onDone": [{"type": "a", "payload": {}}]})
    assert "'onDone' never happens" in found["tasks[0].onStateChange.onSuccess, onDone"]


def test_entries_without_a_type_or_of_another_kind() -> None:
    found = warnings(change={"onStart": ["a", {"payload": 1}, {"type": "start_workflow"}], "onFailed": "x"})
    assert sorted(path.removeprefix("tasks[0].onStateChange.") for path in found) == [
        "onFailed", "onStart[0]", "onStart[1]", "onStart[2].payload",
    ]  # fmt: skip
