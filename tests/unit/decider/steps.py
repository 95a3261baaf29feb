"""Steps of definitions, written shortly, and workers that succeed or fail."""

from __future__ import annotations

from typing import Any

from engine.testing.harness import Harness, TerminalFailure

Step = dict[str, Any]


def step(ref: str, kind: str = "SIMPLE", **fields: Any) -> Step:
    """Return a step; other keyword arguments are its fields."""
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


def inputs(**parameters: Any) -> Step:
    return {"inputParameters": parameters}


def fork(ref: str, *branches: list[Step], join_on: list[str] | None = None) -> list[Step]:
    """Return a fork and its join, which waits for the last step of each branch unless told otherwise."""
    lasts = [branch[-1]["taskReferenceName"] for branch in branches]
    joined = lasts if join_on is None else join_on
    return [step(ref, "FORK_JOIN", forkTasks=list(branches)), step(f"{ref}_join", "JOIN", joinOn=joined)]


def loop(ref: str, condition: str, *body: Step, **fields: Any) -> Step:
    return step(ref, "DO_WHILE", loopCondition=condition, loopOver=list(body), **fields)


def switch(ref: str, cases: dict[str, list[Step]], default: list[Step] | None = None, **fields: Any) -> Step:
    """Return a switch on the workflow's input ``way``."""
    chosen = {"evaluatorType": "value-param", "expression": "way", **inputs(way="${workflow.input.way}")}
    return step(ref, "SWITCH", **{**chosen, "decisionCases": cases, "defaultCase": default or [], **fields})


def child(ref: str, name: str, **fields: Any) -> Step:
    return step(ref, "SUB_WORKFLOW", **{"subWorkflowParam": {"name": name}, **fields})


def run_of(
    harness: Harness, *tasks: Step, given: Step | None = None, defs: list[Step] | None = None, **fields: Any
) -> str:
    """Register a workflow of these steps and start it; return the run's id."""
    harness.register({"name": "flow", "tasks": list(tasks), **fields}, tasks=defs or [])
    return harness.start("flow", given)


def echo(given: Any) -> Any:
    return given


def fails(_: Any) -> Any:
    raise ValueError("no luck")


def fails_for_good(_: Any) -> Any:
    raise TerminalFailure("hopeless")


class Flaky:
    """A worker that fails a number of times first."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.calls = 0

    def __call__(self, given: Any) -> Any:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise ValueError(f"failure {self.calls}")
        return {"calls": self.calls}
