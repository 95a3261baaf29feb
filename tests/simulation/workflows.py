"""Random workflows of every task type: shapes that can be made smaller, and the definitions written from them."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

Step = dict[str, Any]
#: The kind of a step, then what is special about it; plain JSON, so that a story can be kept and made smaller.
Shape = list[Any]

#: How long a worker that was heard of may stay silent, seconds: far longer than any outage of a story that must not
#: change what comes out.
RESPONSE_SECONDS = 3_000

_TASK: Step = {"responseTimeoutSeconds": RESPONSE_SECONDS, "retryLogic": "FIXED"}
TASK_DEFS: list[Step] = [
    {**_TASK, "name": "work", "retryCount": 2, "retryDelaySeconds": 3},
    {**_TASK, "name": "quick", "retryCount": 1, "retryDelaySeconds": 0},
    {**_TASK, "name": "slow", "retryCount": 3, "retryDelaySeconds": 2, "retryLogic": "EXPONENTIAL_BACKOFF"},
    {**_TASK, "name": "once", "retryCount": 0},
]
WORKERS = tuple(str(each["name"]) for each in TASK_DEFS)
#: System types that a worker carries out, with what they need to be valid.
_SYSTEM: dict[str, Step] = {
    "INLINE": {"inputParameters": {"expression": "1"}},
    "JSON_JQ_TRANSFORM": {"inputParameters": {"queryExpression": "."}},
    "HTTP": {"inputParameters": {"http_request": {"uri": "http://localhost/", "method": "GET"}}},
    "EVENT": {"sink": "conductor"},
}
QUEUES = (*WORKERS, *(f"system.{name.lower()}" for name in _SYSTEM))
_FLAGS: list[Step] = [{}, {}, {}, {}, {"optional": True}, {"permissive": True}, {"startDelay": 2}, {"retryCount": 1}]
_CONTAINERS = ("switch", "fork", "same", "listed", "loop", "items", "child", "child", "launch")
_LEAVES = ("work", "work", "work", "work", "dynamic", "system", "wait", "human", "set", "noop")


class Shapes:
    """Draws shapes: about ``budget`` steps, nested three deep at most."""

    def __init__(self, random: Random, budget: int) -> None:
        self._random = random
        self._left = budget

    def sequence(self, depth: int = 0, most: int = 3) -> list[Shape]:
        """Return one step at least."""
        return [self._one(depth) for _ in range(self._random.randint(1, most))]

    def _one(self, depth: int) -> Shape:
        self._left -= 1
        if depth < 3 and self._left > 0 and self._random.random() < 0.45:
            return self._container(self._random.choice(_CONTAINERS), depth + 1)
        return self._leaf(self._random.choice(_LEAVES))

    def _leaf(self, kind: str) -> Shape:
        random = self._random
        match kind:
            case "work" | "dynamic":
                return [kind, random.choice(WORKERS), random.choice(_FLAGS)]
            case "system":
                return [kind, random.choice(list(_SYSTEM))]
            case "wait":
                return [kind, random.choice([0, 4, 40, 900])]
            case "set":
                return [kind, random.randint(0, 9)]
        return [kind]

    def _container(self, kind: str, depth: int) -> Shape:
        random = self._random
        match kind:
            case "switch":
                return [kind, self.sequence(depth), self.sequence(depth, 2) if random.random() < 0.7 else []]
            case "fork":
                return [kind, [self.sequence(depth) for _ in range(random.randint(2, 3))], random.randint(0, 5)]
            case "same":
                return [kind, random.choice(WORKERS), random.randint(0, 4)]
            case "listed":
                return [
                    kind,
                    [self._leaf(random.choice(("work", "wait", "noop"))) for _ in range(random.randint(0, 3))],
                ]
            case "loop" | "items":
                return [kind, self.sequence(depth, 2), random.randint(1, 3)]
            case "child":
                flags = random.choice(_FLAGS[:5])
                return [kind, self.sequence(depth), random.random() < 0.5, random.random() < 0.3, flags]
        return [kind, self.sequence(depth, 2)]


def smaller(shapes: list[Shape]) -> list[list[Shape]]:
    """Return every way of leaving out one shape, or of putting a container's content in its place."""
    found = [[*shapes[:at], *shapes[at + 1 :]] for at in range(len(shapes))]
    for at, shape in enumerate(shapes):
        for part, value in enumerate(shape[1:], 1):
            if not (isinstance(value, list) and value and isinstance(value[0], list)):
                continue
            nested = isinstance(value[0][0], list)
            for inner in value if nested else [value]:
                found.append([*shapes[:at], *inner, *shapes[at + 1 :]])
            if not nested:
                found += [
                    [*shapes[:at], [*shape[:part], less, *shape[part + 1 :]], *shapes[at + 1 :]]
                    for less in smaller(value)
                    if less
                ]
    return [each for each in found if each]


class Writer:
    """Writes the shapes of one root workflow out; every step has a name of its own, and every child a definition."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)
        self.definitions: list[Step] = []

    def workflow(self, name: str, shapes: list[Shape], end: str = "", failure: bool = False) -> Step:
        """Return a definition; its output repeats what its last worker said."""
        steps = self._all_of(shapes, None)
        if end:
            steps.append(self._step(self._ref("end"), "TERMINATE", inputParameters={"terminationStatus": end}))
        workers = [step["taskReferenceName"] for step in steps if step["type"] == "SIMPLE"]
        definition: Step = {"name": name, "tasks": steps, "outputParameters": {"input": "${workflow.input.n}"}}
        if workers:
            definition["outputParameters"]["last"] = f"${{{workers[-1]}.output.n}}"
        if failure:
            definition["failureWorkflow"] = f"{self._prefix}_failed"
            mend = self._step("mend", "SIMPLE", inputParameters={"why": "${workflow.input.failureStatus}"})
            self.definitions.append({"name": f"{self._prefix}_failed", "tasks": [{**mend, "name": "once"}]})
        return definition

    def _ref(self, kind: str) -> str:
        return f"{self._prefix}{next(self._numbers)}{kind}"

    def _all_of(self, shapes: list[Shape], before: str | None) -> list[Step]:
        written: list[Step] = []
        for kind, *parts in shapes:
            ref = self._ref(kind)
            more = getattr(self, f"_{kind}")(ref, before, *parts)
            written += more if isinstance(more, list) else [more]
            before = ref if kind == "work" else before
        return written

    def _step(self, ref: str, kind: str, **fields: Any) -> Step:
        return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}

    def _inputs(self, ref: str, before: str | None) -> Step:
        seen = {} if before is None else {"before": f"${{{before}.output.n}}"}
        return {"key": ref, "n": "${workflow.input.n}", **seen}

    def _work(self, ref: str, before: str | None, worker: str, flags: Step) -> Step:
        return {**self._step(ref, "SIMPLE", inputParameters=self._inputs(ref, before), **flags), "name": worker}

    def _dynamic(self, ref: str, before: str | None, worker: str, flags: Step) -> Step:
        inputs = {**self._inputs(ref, before), "which": worker}
        return self._step(ref, "DYNAMIC", inputParameters=inputs, dynamicTaskNameParam="which", **flags)

    def _system(self, ref: str, _: str | None, kind: str) -> Step:
        return self._step(ref, kind, **_SYSTEM[kind])

    def _wait(self, ref: str, _: str | None, seconds: int) -> Step:
        return self._step(ref, "WAIT", inputParameters={"duration": f"{seconds}s"})

    def _human(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "HUMAN")

    def _set(self, ref: str, _: str | None, value: int) -> Step:
        return self._step(ref, "SET_VARIABLE", inputParameters={f"v_{ref}": value})

    def _noop(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "NOOP")

    def _switch(self, ref: str, before: str | None, case: list[Shape], default: list[Shape]) -> Step:
        return self._step(
            ref,
            "SWITCH",
            evaluatorType="value-param",
            expression="way",
            inputParameters={"way": "a" if before is None else f"${{{before}.output.way}}"},
            decisionCases={"a": self._all_of(case, before)},
            defaultCase=self._all_of(default, before),
        )

    def _fork(self, ref: str, before: str | None, branches: list[list[Shape]], unjoined: int) -> list[Step]:
        written = [self._all_of(branch, before) for branch in branches]
        lasts = [branch[-1]["taskReferenceName"] for branch in written]
        joined = [last for number, last in enumerate(lasts) if number != unjoined]
        fork = self._step(ref, "FORK_JOIN", forkTasks=written)
        return [fork, self._step(f"{ref}_join", "JOIN", joinOn=joined)]

    def _same(self, ref: str, _: str | None, worker: str, number: int) -> list[Step]:
        inputs = {"forkTaskName": worker, "forkTaskInputs": [{"key": ref, "n": each} for each in range(number)]}
        return [
            self._step(ref, "FORK_JOIN_DYNAMIC", inputParameters=inputs),
            self._step(f"{ref}_join", "JOIN"),
        ]

    def _listed(self, ref: str, _: str | None, shapes: list[Shape]) -> list[Step]:
        steps = [step for shape in shapes for step in self._all_of([shape], None)]
        inputs = {"steps": steps, "inputs": {}}
        fork = self._step(
            ref,
            "FORK_JOIN_DYNAMIC",
            inputParameters=inputs,
            dynamicForkTasksParam="steps",
            dynamicForkTasksInputParamName="inputs",
        )
        return [fork, self._step(f"{ref}_join", "JOIN")]

    def _loop(self, ref: str, before: str | None, body: list[Shape], times: int) -> Step:
        condition = f"$.{ref}.iteration < {times}"
        return self._step(ref, "DO_WHILE", loopCondition=condition, loopOver=self._all_of(body, before))

    def _items(self, ref: str, before: str | None, body: list[Shape], times: int) -> Step:
        inputs = {"_items": list(range(times))}
        body_steps = self._all_of(body, before)
        return self._step(ref, "DO_WHILE", loopCondition="true", inputParameters=inputs, loopOver=body_steps)

    def _child(self, ref: str, before: str | None, body: list[Shape], inline: bool, fails: bool, flags: Step) -> Step:
        definition = self.workflow(f"{ref}_def", body, "FAILED" if fails else "")
        param: Step = {"name": definition["name"]}
        if inline:
            param["workflowDefinition"] = definition
        else:
            self.definitions.append(definition)
        inputs = self._inputs(ref, before)
        kept = {key: value for key, value in flags.items() if key != "retryCount"}
        return self._step(ref, "SUB_WORKFLOW", subWorkflowParam=param, inputParameters=inputs, **kept)

    def _launch(self, ref: str, _: str | None, body: list[Shape]) -> Step:
        definition = self.workflow(f"{ref}_def", body)
        self.definitions.append(definition)
        request = {"name": definition["name"], "input": {"n": 7}}
        return self._step(ref, "START_WORKFLOW", inputParameters={"startWorkflow": request})
