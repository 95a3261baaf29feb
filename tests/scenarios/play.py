"""Playing a scenario on a stage, and looking at what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.model.execution import Task, Workflow
from engine.store.port import WorkflowQuery
from engine.testing.harness import Harness, result_message
from engine.wire.message import Delivery
from tests.scenarios.scenario import Expected, Scenario

FLOW = "flow"


def play(scenario: Scenario, stage: Harness) -> None:
    """Let the scenario happen and compare."""
    definition = {"name": FLOW, "tasks": scenario.tasks, **scenario.definition}
    stage.register(definition, *scenario.others, tasks=scenario.task_definitions)
    run = stage.start(FLOW, scenario.input, **scenario.start)
    workers = Workers(scenario.workers, stage)
    for happening in scenario.do:
        _happen(happening, run, stage, workers)
    _compare(scenario, run, stage)
    for name, expected in scenario.runs.items():
        _compare(expected, _only_run(stage, name), stage)


class Workers:
    """Answer one task after the other, as a scenario says."""

    def __init__(self, answers: Mapping[str, list[Any]], stage: Harness) -> None:
        self._answers = {queue: list(each) for queue, each in answers.items()}
        self._stage = stage

    def work(self) -> None:
        """Answer whatever waits, until nothing does."""
        for _ in range(100):
            taken = self._stage.take(*self._answers)
            if not taken:
                return
            for delivery in taken:
                self._answer(delivery)
        raise AssertionError("the workers never came to an end")

    def _answer(self, delivery: Delivery) -> None:
        answers = self._answers[delivery.queue]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        body = _reply(answer, msgspec.json.decode(delivery.message.body)[1])
        if body is not None:
            whole = {"task_id": str(delivery.message.headers["id"]), "traceback": None, "children": [], **body}
            self._stage.publish(result_message(delivery, whole))


def _reply(answer: Any, given: dict[str, Any]) -> dict[str, Any] | None:
    match answer:
        case "silent":
            return None
        case "begins":
            return {"status": "STARTED", "result": {}}
        case "echoes":
            return {"status": "SUCCESS", "result": given}
        case {"progress": progress}:
            return {"status": "PROGRESS", "result": progress}
        case {"text of": length}:
            return {"status": "SUCCESS", "result": {"text": "x" * length}}
        case {"output": output}:
            return {"status": "SUCCESS", "result": output}
        case {"fails": reason}:
            return {"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": [reason]}}
        case {"fails for good": reason}:
            return {"status": "FAILURE", "result": {"exc_type": "TerminalError", "exc_message": [reason]}}
    raise ValueError(f"no such answer: {answer!r}")


def _happen(happening: Any, run: str, stage: Harness, workers: Workers) -> None:
    match happening:
        case "work":
            workers.work()
        case "another decider takes over":
            stage.restart_decider()
        case {"advance": seconds}:
            stage.advance(seconds)
        case {"request": verb, **arguments}:
            workflow_id = _only_run(stage, arguments.pop("workflow")) if "workflow" in arguments else run
            outcome = stage.request(workflow_id, verb, **_resolved(arguments, stage, workflow_id))
            assert outcome.granted, outcome.message
        case {"refused": verb, "code": code, **arguments}:
            outcome = stage.request(run, verb, **_resolved(arguments, stage, run))
            assert not outcome.granted
            assert outcome.code == code, outcome.message
        case _:
            raise ValueError(f"nobody knows how this happens: {happening!r}")


def _resolved(arguments: dict[str, Any], stage: Harness, run: str) -> dict[str, Any]:
    """Return the arguments with ``id of REF`` replaced by the id of that task's last attempt."""

    def resolve(value: Any) -> Any:
        if isinstance(value, str) and (found := re.fullmatch(r"id of (\S+)", value)):
            return stage.task(run, found[1]).id
        return value

    return {name: resolve(value) for name, value in arguments.items()}


def _only_run(stage: Harness, name: str) -> str:
    with stage.store.transaction() as transaction:
        found = transaction.find(WorkflowQuery(name=name))[1]
    assert len(found) == 1, f"there are {len(found)} runs of {name}"
    return found[0].id


def _compare(expected: Expected, run: str, stage: Harness) -> None:
    rows = stage.rows(run)
    workflow, tasks = rows.workflow, rows.tasks
    assert [_row(task) for task in tasks] == [" ".join(row.split()) for row in expected.rows]
    assert workflow.status.value == expected.ends, workflow.reason
    _compare_payloads(expected, workflow)
    last = {task.ref: task for task in tasks}
    told: list[tuple[Mapping[str, Any], Callable[[Task], Any]]] = [
        (expected.inputs, lambda task: task.input),
        (expected.outputs, lambda task: task.output),
    ]
    for by_ref, what in told:
        for ref, value in by_ref.items():
            assert what(last[ref]) == value, ref
    for ref, words in expected.reasons.items():
        assert words in (last[ref].reason or ""), ref


def _compare_payloads(expected: Expected, workflow: Workflow) -> None:
    if expected.output is not msgspec.UNSET:
        assert workflow.output == expected.output
    if expected.variables is not msgspec.UNSET:
        assert workflow.variables == expected.variables
    if expected.reason is not None:
        assert expected.reason in (workflow.reason or "")


def _row(task: Task) -> str:
    words = [task.ref, task.type, task.status.value]
    if task.attempt:
        words.append(f"attempt {task.attempt}")
    if task.iteration:
        words.append(f"iteration {task.iteration}")
    return " ".join(words)
