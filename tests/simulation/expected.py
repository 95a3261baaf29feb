"""What a workflow must come to, worked out by an interpreter that knows no time, no queues and no rows.

It walks the definition as one would by hand, asks ``answers`` what each worker says, and knows nothing of the engine.
Where two branches could end the run in different ways, the outcome is a matter of time and ``Undetermined`` is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.simulation.answers import PERSON, answer
from tests.simulation.outcome import MAY_BE_GONE, plain_output
from tests.simulation.workflows import MISSING, OWN_TYPE, TASK_DEF, Step

_HOLE = re.compile(r"\$\{(\w+)\.(\w+)(?:\.(\w+))?\}")
_FAILED = ("FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED")
_ALWAYS_ENDS_WITH: dict[str, Step] = {
    "WAIT": {},
    "NOOP": {},
    "HUMAN": PERSON,
    "YIELD": PERSON,
    "GET_WORKFLOW": {"workflowName": ""},
    "UPDATE_TASK": {"applied": True},
    "WAIT_FOR_WEBHOOK": PERSON,
    "PULL_WORKFLOW_MESSAGES": {"messages": [{"payload": PERSON}], "count": 1},
}
_CHILD_ENDS = {"COMPLETED": "COMPLETED", "FAILED": "FAILED", "TERMINATED": "CANCELED"}


class Undetermined(Exception):
    """What comes out depends on which of two branches is faster."""


class Expected:
    """Knows the registered definitions of a story."""

    def __init__(self, definitions: dict[str, Step]) -> None:
        self.definitions = definitions

    def outcome(self, definition: Step, given: Step) -> Step:
        """Return what becomes of a run with this input: its status, output, tasks and children."""
        return _Run(self, definition, given).outcome()


class _Run:
    """One run being worked out."""

    def __init__(self, expected: Expected, definition: Step, given: Step) -> None:
        self._expected = expected
        self._definition = definition
        self._given = given
        self._variables: Step = {}
        #: What ``${ref…}`` means: the last task under a plain reference.
        self._named: dict[str, Step] = {}
        #: The output of the last attempt by full reference.
        self._outputs: dict[str, Step] = {}
        #: Full references that the flow has passed, and how their last attempts ended.
        self._passed: dict[str, str] = {}
        self._tasks: Step = {}
        #: Statuses with which some branch ends the run.
        self._ends: list[str] = []
        self._flawed = False

    def outcome(self) -> Step:
        done = self._walk(self._definition["tasks"], "")
        if not done and not self._ends:
            self._ends.append("FAILED")
        if done and self._flawed:
            self._ends.append("FAILED")
        if len(set(self._ends)) > 1:
            raise Undetermined
        found: Step = {"status": self._ends[0] if self._ends else "COMPLETED"}
        failure = self._definition.get("failureWorkflow")
        if failure and found["status"] != "COMPLETED":
            found["failure workflow"] = self._expected.outcome(self._expected.definitions[failure], self._given)
        if self._ends:
            return found
        parameters = self._definition.get("outputParameters")
        output = self._filled(parameters) if parameters else list(self._outputs.values())[-1]
        return {**found, "output": plain_output(output, {}), **self._tasks}

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(part) for key, part in value.items()}
        hole = _HOLE.fullmatch(value) if isinstance(value, str) else None
        if hole is None:
            return value
        root, part, field = hole.groups()
        if root != "workflow":
            return self._named.get(root, {}).get(field)
        return self._given.get(field) if part == "input" else dict(self._variables)

    # lists

    def _walk(self, steps: list[Step], suffix: str) -> bool:
        """Go through a list; True when it ends, with all branches that were opened in it."""
        all_ended, forked = True, []
        for step in steps:
            ref = step["taskReferenceName"]
            if step["type"] in ("FORK_JOIN", "FORK_JOIN_DYNAMIC"):
                forked = []
                for branch in self._branches(step):
                    forked.append(branch[-1]["taskReferenceName"])
                    all_ended = self._walk(branch, suffix) and all_ended
                passes = self._done(step, suffix, {})
            elif step["type"] == "JOIN":
                passes = self._join(step, step.get("joinOn", forked), suffix)
            else:
                passes = self._step(step, ref, suffix)
            if not passes:
                return False
        return all_ended

    def _branches(self, step: Step) -> Iterator[list[Step]]:
        """Yield the branches of a fork; those of a dynamic one under names that say where they come from."""
        if step["type"] == "FORK_JOIN":
            yield from step["forkTasks"]
            return
        given = step["inputParameters"]
        flags = {"optional": True} if step.get("optional") else {}
        for number, item in enumerate(given.get("forkTaskInputs", ())):
            inputs = {**item, "__index": number}
            branch: Step = {"taskReferenceName": f"{item['key']}[{number}]", "inputParameters": inputs, **flags}
            if "forkTaskWorkflow" in given:
                name = given["forkTaskWorkflow"]
                yield [{**branch, "name": name, "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": name}}]
            else:
                yield [{**branch, "name": given["forkTaskName"], "type": "SIMPLE"}]
        yield from ([each] for each in given.get("steps", ()))
        for task in given.get("described", {}).get("dynamicTasks", ()):
            ref, name = task["referenceName"], task["taskName"]
            yield [{"taskReferenceName": ref, "name": name, "type": "SIMPLE", "inputParameters": task["input"]}]

    def _join(self, step: Step, refs: list[str], suffix: str) -> bool:
        if ".some(" in step.get("expression", ""):
            # What else has ended, or will end the run, by the time that one branch has, is a matter of time.
            raise Undetermined
        fulls = [ref + suffix for ref in refs]
        if not all(full in self._passed for full in fulls):
            return False
        output = {full: self._outputs[full] for full in fulls if self._outputs[full]}
        statuses = [self._passed[full] for full in fulls]
        if "expression" in step:
            return self._scripted_join(step, suffix, output, statuses)
        if any(status in _FAILED for status in statuses):
            cancelled = not any(status.startswith("FAILED") for status in statuses)
            self._ends.append("TERMINATED" if cancelled else "FAILED")
            return False
        return self._done(step, suffix, output, "COMPLETED_WITH_ERRORS" if "COMPLETED_WITH_ERRORS" in statuses else "")

    def _scripted_join(self, step: Step, suffix: str, output: Step, statuses: list[str]) -> bool:
        """A script that waits for every branch must find that all have ended well."""
        if any(status in _FAILED for status in statuses):
            self._ends.append("FAILED")
            return False
        return self._done(step, suffix, output)

    # steps

    def _done(self, step: Step, suffix: str, output: Step, status: str = "") -> bool:
        """Note that a task has ended well; the flow passes it."""
        full = step["taskReferenceName"] + suffix
        self._note(step, full, 0, status or "COMPLETED", output)
        self._passed[full] = status or "COMPLETED"
        return True

    def _note(self, step: Step, full: str, attempt: int, status: str, output: Step, **more: Any) -> None:
        self._named[step["taskReferenceName"]] = output
        self._outputs[full] = output
        shown = {"output": plain_output(output, {})} if status == "COMPLETED" else {}
        self._tasks[f"{full}#{attempt}"] = {"status": status, **shown, **more}

    def _step(self, step: Step, ref: str, suffix: str) -> bool:
        match step["type"]:
            case kind if kind in _ALWAYS_ENDS_WITH:
                return self._done(step, suffix, _ALWAYS_ENDS_WITH[kind])
            case "SET_VARIABLE":
                self._variables |= step["inputParameters"]
                return self._done(step, suffix, {})
            case "TERMINATE":
                self._ends.append(step["inputParameters"]["terminationStatus"])
                return False
            case "SWITCH" | "DECISION":
                return self._switch(step, suffix)
            case "EXCLUSIVE_JOIN":
                return self._exclusive_join(step, suffix)
            case "DO_WHILE":
                return self._loop(step, ref, suffix)
            case "START_WORKFLOW":
                return self._launch(step, suffix)
            case "DYNAMIC" if "which" not in step.get("inputParameters", {}):
                self._ends.append("FAILED")
                return False
        return self._attempts(step, suffix)

    def _switch(self, step: Step, suffix: str) -> bool:
        if step.get("expression") not in ("way", "$.way", None):
            self._ends.append("FAILED")
            return False
        way = self._filled(step["inputParameters"]["way"])
        case = "null" if way is None else str(way)
        steps = step["decisionCases"].get(case, step.get("defaultCase", []))
        self._note(step, step["taskReferenceName"] + suffix, 0, "COMPLETED", {})
        if not self._walk(steps, suffix):
            return False
        chosen = {"evaluationResult": [case], "selectedCase": case}
        return self._done(step, suffix, {"caseOutput": [case]} if step["type"] == "DECISION" else chosen)

    def _exclusive_join(self, step: Step, suffix: str) -> bool:
        ran = next((ref + suffix for ref in step["joinOn"] if ref + suffix in self._outputs), None)
        if ran is not None and self._passed[ran] in _FAILED:
            self._ends.append("FAILED")
            return False
        return self._done(step, suffix, {} if ran is None else self._outputs[ran])

    def _loop(self, step: Step, ref: str, suffix: str) -> bool:
        if step["loopCondition"] == "nothing.there":
            self._ends.append("FAILED")
            return False
        inputs = step["inputParameters"]
        items, keep, output = inputs.get("_items"), inputs.get("keepLastN", 0), {}
        times = len(items) if items is not None else int(step["loopCondition"].rpartition("<")[2])
        for number in range(1, times + 1):
            inner = f"{suffix}__{number}"
            if not self._walk(step["loopOver"], inner):
                return False
            refs = _refs_within(step["loopOver"])
            output[str(number)] = {each: self._outputs[each + inner] for each in refs if each + inner in self._outputs}
            if keep:
                output.pop(str(number - keep), None)
                self._may_forget(f"{suffix}__{number - keep}")
        output["iteration"] = times
        if items:
            output |= {"loopIndex": times - 1, "loopItem": items[-1]}
        return self._done(step, suffix, output)

    def _may_forget(self, inner: str) -> None:
        """Note that the tasks of an iteration need not be kept."""
        for key, shown in self._tasks.items():
            full = key.partition("#")[0]
            if full.endswith(inner) or f"{inner}__" in full:
                shown[MAY_BE_GONE] = True

    def _launch(self, step: Step, suffix: str) -> bool:
        request = step["inputParameters"]["startWorkflow"]
        if request["name"] == MISSING:
            self._ends.append("FAILED")
            return False
        child = self._expected.outcome(self._expected.definitions[request["name"]], request["input"])
        full = step["taskReferenceName"] + suffix
        self._note(step, full, 0, "COMPLETED", {"workflowId": ""}, run=child)
        self._passed[full] = "COMPLETED"
        return True

    # attempts

    def _attempts(self, step: Step, suffix: str) -> bool:
        full, given = step["taskReferenceName"] + suffix, self._filled(step.get("inputParameters", {}))
        status = ""
        for attempt in range(_retries(step, given) + 1):
            status, output, more = self._attempt(step, full, given, attempt)
            self._note(step, full, attempt, status, output, **more)
            if status != "FAILED":
                break
        if status != "COMPLETED":
            if step.get("optional"):
                self._tasks[f"{full}#{attempt}"]["status"] = status = "COMPLETED_WITH_ERRORS"
            elif step.get("permissive"):
                self._flawed = True
            else:
                self._ends.append("TERMINATED" if status == "CANCELED" else "FAILED")
                return False
        self._passed[full] = status
        return True

    def _attempt(self, step: Step, full: str, given: Step, attempt: int) -> tuple[str, Step, Step]:
        """Return one attempt's status and output, and what became of the child that it started."""
        if step["type"] == "SUB_WORKFLOW":
            return self._child(step, given)
        if given.get("heavy"):
            return "FAILED_WITH_TERMINAL_ERROR", {}, {}
        said = answer(self._definition["name"], full, attempt, given)
        if said["status"] != "SUCCESS":
            terminal = said["result"]["exc_type"] == "TerminalError"
            return "FAILED_WITH_TERMINAL_ERROR" if terminal else "FAILED", {}, {}
        return "COMPLETED", PERSON if step.get("asyncComplete") else said["result"], {}

    def _child(self, step: Step, given: Step) -> tuple[str, Step, Step]:
        if given.get("heavy"):
            return "FAILED", {"subWorkflowId": ""}, {"run": None}
        param = step["subWorkflowParam"]
        definition = param.get("workflowDefinition") or self._expected.definitions[param["name"]]
        child = self._expected.outcome(definition, given)
        output = child.get("output", {})
        if output.get("heavy"):
            # What the broker refuses to carry never reaches the parent, which learns only that.
            return "FAILED", {"subWorkflowId": ""}, {"run": child}
        return _CHILD_ENDS[child["status"]], {"subWorkflowId": "", **output}, {"run": child}


def _retries(step: Step, given: Step) -> int:
    if "retryCount" in step:
        return int(step["retryCount"])
    if step["type"] == OWN_TYPE or step["type"] not in ("SIMPLE", "DYNAMIC"):
        return 0
    return int(TASK_DEF[given["which"] if step["type"] == "DYNAMIC" else step["name"]]["retryCount"])


def _refs_within(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        yield step["taskReferenceName"]
        nested = [*step.get("decisionCases", {}).values(), step.get("defaultCase", []), *step.get("forkTasks", ())]
        for inner in (*nested, step.get("loopOver", [])):
            yield from _refs_within(inner)
