"""Definitions written from shapes, and the task definitions that they use."""

from __future__ import annotations

from itertools import count
from typing import Any
from zlib import crc32

from tests.simulation.answers import PERSON
from tests.simulation.shapes import PATIENT, SYSTEM, TIMED, Shape

Step = dict[str, Any]

#: How long a worker that was heard of may stay silent, seconds: far longer than any outage of a story that must not
#: change what comes out.
RESPONSE_SECONDS = 3_000

_TASK: Step = {"responseTimeoutSeconds": RESPONSE_SECONDS, "retryLogic": "FIXED", "timeoutPolicy": "RETRY"}
_TIMED: Step = {**_TASK, "responseTimeoutSeconds": 20}
TASK_DEFS: list[Step] = [
    {**_TASK, "name": "work", "retryCount": 2, "retryDelaySeconds": 3},
    {**_TASK, "name": "quick", "retryCount": 1, "retryDelaySeconds": 0},
    {**_TASK, "name": "slow", "retryCount": 3, "retryDelaySeconds": 2, "retryLogic": "EXPONENTIAL_BACKOFF"},
    {**_TASK, "name": "linear", "retryCount": 2, "retryDelaySeconds": 1, "retryLogic": "LINEAR_BACKOFF"},
    {**_TASK, "name": "once", "retryCount": 0},
    {**_TASK, "name": "limited", "retryCount": 1, "retryDelaySeconds": 1, "concurrentExecLimit": 1},
    {
        **_TASK,
        "name": "rated",
        "retryCount": 0,
        "rateLimitPerFrequency": 2,
        "rateLimitFrequencyInSeconds": 10,
    },
    {**_TIMED, "name": "timed", "retryCount": 2, "retryDelaySeconds": 1, "timeoutSeconds": 20},
    {**_TIMED, "name": "timed_out", "retryCount": 2, "timeoutSeconds": 60, "timeoutPolicy": "TIME_OUT_WF"},
    {**_TIMED, "name": "alerted", "retryCount": 1, "timeoutSeconds": 20, "timeoutPolicy": "ALERT_ONLY"},
    {**_TASK, "name": "total", "retryCount": 5, "retryDelaySeconds": 9, "totalTimeoutSeconds": 45},
    {**_TASK, "name": "polled", "retryCount": 1, "retryDelaySeconds": 1, "pollTimeoutSeconds": 15},
]
TASK_DEF: dict[str, Step] = {str(each["name"]): each for each in TASK_DEFS}
#: How many tasks of a name may be out at a time.
LIMITS = {name: int(each["concurrentExecLimit"]) for name, each in TASK_DEF.items() if "concurrentExecLimit" in each}

#: A type that the engine does not know: its worker listens to a queue of that name.
OWN_TYPE = "PAINT"
#: System types that a worker carries out, with what they need to be valid.
_SYSTEM: dict[str, Step] = {
    "INLINE": {"inputParameters": {"expression": "1"}},
    "JSON_JQ_TRANSFORM": {"inputParameters": {"queryExpression": "."}},
    "HTTP": {"inputParameters": {"http_request": {"uri": "http://localhost/", "method": "GET"}}},
    "HTTP_POLL": {
        "inputParameters": {
            "http_request": {
                "uri": "http://localhost/",
                "method": "GET",
                "terminationCondition": "true",
                "pollingInterval": 3,
            }
        }
    },
    "EVENT": {"sink": "conductor"},
    "LAMBDA": {"inputParameters": {"scriptExpression": "return 1;"}},
    "KAFKA_PUBLISH": {"inputParameters": {"kafka_request": {"topic": "t", "value": 1}}},
    "SQL": {"inputParameters": {"connectionId": "db", "statement": "SELECT 1", "type": "SELECT"}},
    "JDBC": {"inputParameters": {"connectionId": "db", "statement": "SELECT 1", "type": "SELECT"}},
}
assert _SYSTEM.keys() == set(SYSTEM)
QUEUES = (*PATIENT, *TIMED, OWN_TYPE, *(f"system.{name.lower()}" for name in SYSTEM))

#: What the name of a task ends in that another one ends.
TARGET = "target"

#: The name of a workflow that is not registered.
MISSING = "nobody"


class Writer:
    """Writes the shapes of one root workflow out; every step has a name of its own, and every child a definition."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)
        #: Steps are written into the input of another one, where every ``${…}`` is filled in before they exist.
        self._as_input = False
        self.definitions: list[Step] = []

    def workflow(self, name: str, shapes: list[Shape], end: str = "", failure: bool = False, timeout: int = 0) -> Step:
        """Return a definition; its output repeats what its last worker said, and its variables."""
        outside, self._as_input = self._as_input, False
        steps = self._all_of(shapes, None)
        self._as_input = outside
        if end:
            steps.append(self._end(self._ref("end"), None, end))
        workers = [step["taskReferenceName"] for step in steps if step["type"] == "SIMPLE"]
        output: Step = {"input": "${workflow.input.n}", "variables": "${workflow.variables}"}
        if workers:
            output["last"] = f"${{{workers[-1]}.output.n}}"
        definition: Step = {"name": name, "tasks": steps, "outputParameters": output}
        if timeout:
            definition |= {"timeoutSeconds": timeout, "timeoutPolicy": "TIME_OUT_WF"}
        if failure:
            definition["failureWorkflow"] = f"{self._prefix}_failed"
            mend = self._work(f"{self._prefix}_mend", None, "once", {})
            self.definitions.append({"name": f"{self._prefix}_failed", "tasks": [mend]})
        return definition

    def _ref(self, kind: str) -> str:
        return f"{self._prefix}{next(self._numbers)}{kind}"

    def _all_of(self, shapes: list[Shape], before: str | None) -> list[Step]:
        written: list[Step] = []
        for kind, *parts in shapes:
            ref = self._ref(kind)
            more = getattr(self, f"_{kind}")(ref, before, *parts)
            written += more if isinstance(more, list) else [more]
            before = ref if kind == "work" and not self._as_input else before
        return written

    def _step(self, ref: str, kind: str, **fields: Any) -> Step:
        return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}

    def _inputs(self, ref: str, before: str | None) -> Step:
        seen = {} if before is None else {"before": f"${{{before}.output.n}}"}
        return {"key": ref, "n": "${workflow.input.n}", **seen}

    # steps by themselves

    def _work(self, ref: str, before: str | None, worker: str, flags: Step) -> Step:
        return {**self._step(ref, "SIMPLE", inputParameters=self._inputs(ref, before), **flags), "name": worker}

    def _dynamic(self, ref: str, before: str | None, worker: str, flags: Step) -> Step:
        inputs = {**self._inputs(ref, before), "which": worker}
        return self._step(ref, "DYNAMIC", inputParameters=inputs, dynamicTaskNameParam="which", **flags)

    def _own(self, ref: str, before: str | None, flags: Step) -> Step:
        return self._step(ref, OWN_TYPE, inputParameters=self._inputs(ref, before), **flags)

    def _system(self, ref: str, _: str | None, kind: str, flags: Step) -> Step:
        return self._step(ref, kind, **_SYSTEM[kind], **flags)

    def _wait(self, ref: str, _: str | None, seconds: int) -> Step:
        return self._step(ref, "WAIT", inputParameters={"duration": f"{seconds}s"})

    def _human(self, ref: str, _: str | None) -> Step:
        if crc32(ref.encode()) % 3 == 0:
            return self._step(ref, "WAIT_FOR_WEBHOOK", inputParameters={"matches": {"$.ref": ref}})
        return self._step(ref, "HUMAN")

    def _get(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "GET_WORKFLOW", inputParameters={"id": "${workflow.workflowId}"})

    def _yield(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "YIELD")

    def _update(self, ref: str, _: str | None) -> list[Step]:
        """Return two branches, of which one ends what the other waits for."""
        given = {"taskRefName": f"{ref}_{TARGET}", "taskStatus": "COMPLETED", "taskOutput": PERSON}
        ends = self._step(f"{ref}_ends", "UPDATE_TASK", inputParameters=given)
        fork = self._step(ref, "FORK_JOIN", forkTasks=[[self._step(f"{ref}_{TARGET}", "YIELD")], [ends]])
        return [fork, self._step(f"{ref}_join", "JOIN", joinOn=[f"{ref}_{TARGET}", f"{ref}_ends"])]

    def _pull(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "PULL_WORKFLOW_MESSAGES")

    def _set(self, ref: str, _: str | None, value: int) -> Step:
        return self._step(ref, "SET_VARIABLE", inputParameters={f"v_{ref}": value})

    def _noop(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "NOOP")

    def _end(self, ref: str, _: str | None, status: str) -> Step:
        return self._step(ref, "TERMINATE", inputParameters={"terminationStatus": status})

    # what cannot go well

    def _broken(self, ref: str, _: str | None, how: str) -> Step | list[Step]:
        match how:
            case "join":
                fork = self._step(ref, "FORK_JOIN", forkTasks=[[self._step(f"{ref}_branch", "NOOP")]])
                join = self._step(f"{ref}_join", "JOIN", joinOn=[f"{ref}_behind"])
                return [fork, join, self._step(f"{ref}_behind", "NOOP")]
            case "dynamic":
                return self._step(ref, "DYNAMIC", dynamicTaskNameParam="which")
            case "switch":
                cases = {"a": [self._step(f"{ref}_case", "NOOP")]}
                return self._step(
                    ref, "SWITCH", evaluatorType="javascript", expression="nothing.there", decisionCases=cases
                )
        return self._step(ref, "DO_WHILE", loopCondition="nothing.there", loopOver=[self._step(f"{ref}_body", "NOOP")])

    def _heavy(self, ref: str, before: str | None, what: str, flags: Step) -> Step:
        """Return a step that leads to a message which the broker refuses for good."""
        if what == "task":
            step = self._work(ref, before, "work", flags)
            step["inputParameters"] = {**step["inputParameters"], "heavy": True}
            return step
        step = self._child(ref, before, [["noop"]], False, "", flags)
        if what == "child":
            step["inputParameters"] = {**step["inputParameters"], "heavy": True}
        else:
            self.definitions[-1]["outputParameters"] = {"heavy": True}
        return step

    def _missing(self, ref: str, _: str | None) -> Step:
        return self._step(ref, "START_WORKFLOW", inputParameters={"startWorkflow": {"name": MISSING}})

    # containers

    def _switch(self, ref: str, before: str | None, case: list[Shape], default: list[Shape]) -> Step:
        return self._switch_by("value-param", "way", ref, before, case, default)

    def _script(self, ref: str, before: str | None, case: list[Shape], default: list[Shape]) -> Step:
        return self._switch_by("javascript", "$.way", ref, before, case, default)

    def _decision(self, ref: str, before: str | None, case: list[Shape], default: list[Shape]) -> list[Step]:
        """Return SWITCH's older form with the join that belongs to it."""
        cases, otherwise = self._all_of(case, before), self._all_of(default, before)
        decision = self._step(
            ref,
            "DECISION",
            caseValueParam="way",
            inputParameters={"way": "a" if before is None else f"${{{before}.output.way}}"},
            decisionCases={"a": cases},
            defaultCase=otherwise,
        )
        lasts = [steps[-1]["taskReferenceName"] for steps in (cases, otherwise) if steps]
        return [decision, self._step(f"{ref}_join", "EXCLUSIVE_JOIN", joinOn=lasts)]

    def _switch_by(
        self, evaluator: str, expression: str, ref: str, before: str | None, case: list[Shape], default: list[Shape]
    ) -> Step:
        return self._step(
            ref,
            "SWITCH",
            evaluatorType=evaluator,
            expression=expression,
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

    def _scripted(self, ref: str, before: str | None, branches: list[list[Shape]], way: str) -> list[Step]:
        """Return a fork whose join asks a script whether all branches, or some of them, have ended well."""
        fork, join = self._fork(ref, before, branches, -1)
        script = f"$.joinOn.{way}(ref => $[ref] !== undefined && $[ref].status.startsWith('COMPLETED'))"
        return [fork, {**join, "evaluatorType": "js", "expression": script}]

    def _forked(self, ref: str, **fields: Any) -> list[Step]:
        return [self._step(ref, "FORK_JOIN_DYNAMIC", **fields), self._step(f"{ref}_join", "JOIN")]

    def _same(self, ref: str, _: str | None, worker: str, number: int, flags: Step) -> list[Step]:
        inputs = {"forkTaskName": worker, "forkTaskInputs": [{"key": ref, "n": each} for each in range(number)]}
        return self._forked(ref, inputParameters=inputs, **flags)

    def _kids(self, ref: str, _: str | None, body: list[Shape], number: int) -> list[Step]:
        definition = self.workflow(f"{ref}_def", body)
        self.definitions.append(definition)
        given = [{"key": ref, "n": each} for each in range(number)]
        return self._forked(ref, inputParameters={"forkTaskWorkflow": definition["name"], "forkTaskInputs": given})

    def _listed(self, ref: str, _: str | None, shapes: list[Shape]) -> list[Step]:
        outside, self._as_input = self._as_input, True
        steps = [step for shape in shapes for step in self._all_of([shape], None)]
        self._as_input = outside
        inputs = {"steps": steps, "inputs": {}}
        names = {"dynamicForkTasksParam": "steps", "dynamicForkTasksInputParamName": "inputs"}
        return self._forked(ref, inputParameters=inputs, **names)

    def _legacy(self, ref: str, _: str | None, worker: str, number: int) -> list[Step]:
        names = [f"{ref}_{each}" for each in range(number)]
        tasks = [
            {"taskName": worker, "referenceName": name, "input": {"key": name, "n": each}}
            for each, name in enumerate(names)
        ]
        inputs = {"described": {"dynamicTasks": tasks}}
        return self._forked(ref, inputParameters=inputs, dynamicForkJoinTasksParam="described")

    def _loop(self, ref: str, before: str | None, body: list[Shape], times: int, keep: int) -> Step:
        condition = f"$.{ref}.iteration < {times}"
        inputs = {"keepLastN": keep} if keep else {}
        body_steps = self._all_of(body, before)
        return self._step(ref, "DO_WHILE", loopCondition=condition, inputParameters=inputs, loopOver=body_steps)

    def _items(self, ref: str, before: str | None, body: list[Shape], times: int) -> Step:
        inputs = {"_items": list(range(times))}
        body_steps = self._all_of(body, before)
        return self._step(ref, "DO_WHILE", loopCondition="true", inputParameters=inputs, loopOver=body_steps)

    def _child(self, ref: str, before: str | None, body: list[Shape], inline: bool, end: str, flags: Step) -> Step:
        definition = self.workflow(f"{ref}_def", body, end)
        param: Step = {"name": definition["name"]}
        if inline and not self._as_input:
            param["workflowDefinition"] = definition
        else:
            self.definitions.append(definition)
        return self._step(
            ref, "SUB_WORKFLOW", subWorkflowParam=param, inputParameters=self._inputs(ref, before), **flags
        )

    def _launch(self, ref: str, _: str | None, body: list[Shape]) -> Step:
        definition = self.workflow(f"{ref}_def", body)
        self.definitions.append(definition)
        request = {"name": definition["name"], "input": {"n": 7}}
        return self._step(ref, "START_WORKFLOW", inputParameters={"startWorkflow": request})
