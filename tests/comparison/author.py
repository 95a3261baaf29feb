"""Writes random workflows whose end does not depend on who is quicker, so that two servers must agree on it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

Step = dict[str, Any]

#: What every run is given.
INPUT: Final = {"a": 5, "b": "text", "list": [{"k": 1}, {"k": "two"}], "flag": True, "nothing": None}

#: The name of the worker's tasks, and the workflows that serve as children; a prefix keeps runs of the tool apart.
WORK: Final = "work"
CHILD: Final = "child"
FAILING_CHILD: Final = "failing_child"

_DEEPEST: Final = 3

#: How an attempt of a worker's task ends: done, done at the second attempt, never, and failed for good.
DONE, SECOND, NEVER, TERMINAL = "done", "second", "never", "terminal"

_SCRIPTS: Final = ("$.x", "({r: $.x, n: 1})", "[1, 2, 3].map(n => n * 2)", "$.x == null", "({r: {q: $.y}})", "1 / 4")
_PROGRAMS: Final = (".d", "{r: .d}", "[.d]", ".d, 1")


def children(prefix: str) -> list[dict[str, Any]]:
    """Return the workflows that the others start as their children."""
    ending = {CHILD: SECOND, FAILING_CHILD: NEVER}
    return [
        _definition(prefix + name, [_work(prefix, "inner", how)], {"r": "${inner.output.r}"})
        for name, how in ending.items()
    ]


def workflow(prefix: str, seed: int) -> dict[str, Any]:
    """Return the workflow of that number."""
    author = _Author(Random(seed), prefix)
    known: list[str] = []
    tasks = author.steps(known, depth=0, alone=True, looped=False)
    return _definition(f"{prefix}{seed}", tasks, {key: author.value(known) for key in ("o", "p", "q")})


def _definition(name: str, tasks: list[Step], output: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": "comparison@example.com",
        "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
        "tasks": tasks,
        "outputParameters": output,
    }


def _work(prefix: str, ref: str, how: str, **given: Any) -> Step:
    return {
        "name": prefix + WORK,
        "taskReferenceName": ref,
        "type": "SIMPLE",
        "inputParameters": {"x": "${workflow.input.x}", **given, "how": how},
    }


class _Author:
    """One workflow in the making.

    ``known`` are the reference names that may be read where a step stands. ``alone`` says that nothing runs beside it:
    only there may a task fail, a run end or change its variables, since otherwise the quicker server would be right.
    """

    def __init__(self, random: Random, prefix: str) -> None:
        self._random = random
        self._prefix = prefix
        self._written = 0

    def steps(self, known: list[str], *, depth: int, alone: bool, looped: bool) -> list[Step]:
        """Return a list of steps; the names that can be read after it are added to ``known``."""
        count = self._random.randint(1, 3) if depth else self._random.randint(3, 6)
        return [step for _ in range(count) for step in self._some(known, depth, alone, looped)]

    def value(self, known: list[str]) -> Any:
        """Return what a parameter is set to: a constant, or an expression that may find nothing."""
        constants = ["text", 3, None, True, ["${workflow.input.a}", 1], {"deep": "${workflow.input.b}"}]
        reads = ["a", "b", "list", "nothing", "absent", "list[0].k", "absent.deeper", "flag"]
        outputs = [
            f"${{{ref}.{path}}}" for ref in known[-4:] for path in ("output", "output.r", "output.r.q", "output.result")
        ]
        expressions = [f"${{workflow.input.{path}}}" for path in reads]
        return self._random.choice([*constants, *expressions, *outputs, "n ${workflow.input.a} m ${workflow.input.b}"])

    def _some(self, known: list[str], depth: int, alone: bool, looped: bool) -> list[Step]:
        kinds: list[Callable[[], list[Step]]] = [
            *[lambda: self._one(self._simple(known, alone), known)] * 4,
            lambda: self._one(self._inline(known), known),
            lambda: self._one(self._jq(known), known),
            lambda: self._one(self._step("NOOP", "noop"), known),
        ]
        if alone:
            kinds.append(lambda: self._one(self._set_variable(known), known))
        if alone and depth and not looped:
            kinds.append(lambda: self._one(self._terminate(known), known))
        if depth < _DEEPEST:
            kinds += [
                lambda: self._one(self._switch(known, depth, alone, looped), known),
                lambda: self._fork(known, depth, looped),
                lambda: self._one(self._child(known, alone), known),
            ]
        if depth < _DEEPEST and not looped:
            kinds += [lambda: self._one(self._loop(known, depth, alone), known), lambda: self._dynamic_fork(known)]
        return self._random.choice(kinds)()

    @staticmethod
    def _one(step: Step, known: list[str]) -> list[Step]:
        known.append(step["taskReferenceName"])
        return [step]

    def _step(self, kind: str, name: str, **fields: Any) -> Step:
        self._written += 1
        return {"name": name, "taskReferenceName": f"{name}_{self._written}", "type": kind, **fields}

    def _simple(self, known: list[str], alone: bool) -> Step:
        self._written += 1
        # Conductor's JOIN may see a failed attempt before the one that takes its place.
        ways = [DONE, DONE, DONE, SECOND, self._random.choice([DONE, NEVER, TERMINAL])] if alone else [DONE]
        how = self._random.choice(ways)
        step = _work(self._prefix, f"work_{self._written}", how, x=self.value(known), y=self.value(known))
        return {**step, "optional": True} if how != TERMINAL and self._random.random() < 0.2 else step

    def _inline(self, known: list[str]) -> Step:
        script = {"evaluatorType": "javascript", "expression": self._random.choice(_SCRIPTS)}
        return self._step(
            "INLINE", "inline", inputParameters={**script, "x": self.value(known), "y": self.value(known)}
        )

    def _jq(self, known: list[str]) -> Step:
        program = self._random.choice(_PROGRAMS)
        return self._step(
            "JSON_JQ_TRANSFORM", "jq", inputParameters={"d": self.value(known), "queryExpression": program}
        )

    def _set_variable(self, known: list[str]) -> Step:
        name = self._random.choice("uvw")
        return self._step("SET_VARIABLE", "set", inputParameters={name: self.value(known)})

    def _terminate(self, known: list[str]) -> Step:
        status = self._random.choice(["COMPLETED", "FAILED", "TERMINATED"])
        output = {"terminationStatus": status, "terminationReason": "so", "workflowOutput": {"w": self.value(known)}}
        return self._step("TERMINATE", "terminate", inputParameters=output)

    def _switch(self, known: list[str], depth: int, alone: bool, looped: bool) -> Step:
        def branch() -> list[Step]:
            return self.steps(list(known), depth=depth + 1, alone=alone, looped=looped)

        cases = {"one": branch(), "two": branch()}
        step = self._step("SWITCH", "switch", decisionCases=cases, defaultCase=branch())
        if self._random.random() < 0.5:
            way = {"evaluatorType": "value-param", "expression": "c", "inputParameters": {"c": self._case()}}
        else:
            given = {"c": self.value(known)}
            way = {"evaluatorType": "javascript", "expression": "$.c ? 'one' : 'two'", "inputParameters": given}
        return {**step, **way}

    def _case(self) -> Any:
        return self._random.choice(["one", "two", "other", None, 7, "${workflow.input.b}", "${workflow.input.absent}"])

    def _fork(self, known: list[str], depth: int, looped: bool) -> list[Step]:
        branches = [
            self.steps(list(known), depth=depth + 1, alone=False, looped=looped)
            for _ in range(self._random.randint(1, 3))
        ]
        fork = self._step("FORK_JOIN", "fork", forkTasks=branches)
        join = self._step("JOIN", "join", joinOn=[branch[-1]["taskReferenceName"] for branch in branches])
        return [fork, *self._one(join, known)]

    def _dynamic_fork(self, known: list[str]) -> list[Step]:
        count = self._random.choice([0, 1, 3])
        fork = self._step("FORK_JOIN_DYNAMIC", "dynamic", dynamicForkTasksParam="tasks")
        refs = [f"{fork['taskReferenceName']}_branch_{number}" for number in range(count)]
        tasks = [{"name": self._prefix + WORK, "taskReferenceName": ref, "type": "SIMPLE"} for ref in refs]
        inputs = {ref: {"x": number, "how": DONE} for number, ref in enumerate(refs)}
        fork |= {"dynamicForkTasksInputParamName": "inputs", "inputParameters": {"tasks": tasks, "inputs": inputs}}
        return [fork, *self._one(self._step("JOIN", "join"), known)]

    def _loop(self, known: list[str], depth: int, alone: bool) -> Step:
        body = self.steps(list(known), depth=depth + 1, alone=alone, looped=True)
        step = self._step("DO_WHILE", "loop", loopOver=body, inputParameters={"n": self._random.randint(1, 3)})
        return {**step, "loopCondition": f"$.{step['taskReferenceName']}['iteration'] < $.n"}

    def _child(self, known: list[str], alone: bool) -> Step:
        name = self._random.choice([CHILD, CHILD, FAILING_CHILD]) if alone else CHILD
        child = {"name": self._prefix + name, "version": 1}
        return self._step("SUB_WORKFLOW", "child", inputParameters={"x": self.value(known)}, subWorkflowParam=child)
