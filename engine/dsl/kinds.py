"""The steps that the engine itself carries out, each a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.alias_generators import to_camel

from engine.dsl.errors import BadWorkflow
from engine.dsl.step import Step, placed
from engine.dsl.value import Value
from engine.dsl.workflow import Workflow


def step(kind: str, ref: str, fields: Mapping[str, Any] | None = None, /, **inputs: Any) -> Step:
    """Put a step of any type into the workflow: one of a package, or a type that has no function here.

    ``fields`` are those that the type has beside its inputs: ``step("EVENT", "tell", {"sink": "conductor"}, a=1)``.
    """
    return placed(Step(kind, ref, inputs, {to_camel(name): value for name, value in (fields or {}).items()}))


def http(
    ref: str,
    /,
    uri: Any,
    method: str = "GET",
    *,
    body: Any = None,
    headers: Mapping[str, Any] | None = None,
    accept: str | None = None,
    content_type: str | None = None,
    connection_timeout_ms: int | None = None,
    read_timeout_ms: int | None = None,
) -> Step:
    """Call a service; its answer is ``output.response.body``, beside ``statusCode`` and ``headers``."""
    request = {
        "uri": uri,
        "method": method,
        "headers": headers,
        "body": body,
        "accept": accept,
        "contentType": content_type,
        "connectionTimeOut": connection_timeout_ms,
        "readTimeOut": read_timeout_ms,
    }
    said = {name: value for name, value in request.items() if value is not None}
    return placed(Step("HTTP", ref, {"http_request": said}))


def inline(ref: str, script: str, /, **inputs: Any) -> Step:
    """Run JavaScript that sees the inputs as ``$``; its value is ``output.result``."""
    return placed(Step("INLINE", ref, {**inputs, "evaluatorType": "javascript", "expression": script}))


def jq(ref: str, program: str, /, **inputs: Any) -> Step:
    """Run a jq program over the inputs; its value is ``output.result``."""
    return placed(Step("JSON_JQ_TRANSFORM", ref, {**inputs, "queryExpression": program}))


def wait(ref: str, /, *, duration: str | Value | None = None, until: str | Value | None = None) -> Step:
    """Wait for a time (``"1d 2h"``), until a date (``"2030-01-31 17:00 GMT+01:00"``), or for a signal."""
    said = {name: value for name, value in (("duration", duration), ("until", until)) if value is not None}
    return placed(Step("WAIT", ref, said))


def human(ref: str, /, **inputs: Any) -> Step:
    """Wait for somebody's answer, which becomes the output."""
    return placed(Step("HUMAN", ref, inputs))


def event(ref: str, sink: str, /, **payload: Any) -> Step:
    """Publish a message: to ``conductor:<name>``, ``amqp_exchange:<name>`` and the like."""
    return placed(Step("EVENT", ref, payload, {"sink": sink}))


def set_variables(ref: str, /, **variables: Any) -> Step:
    """Set variables of the run, which ``run.variables`` reads."""
    return placed(Step("SET_VARIABLE", ref, variables))


def terminate(
    ref: str, status: Literal["COMPLETED", "FAILED", "TERMINATED"], /, reason: Any = None, output: Any = None
) -> Step:
    """End the run here."""
    said = {"terminationStatus": status, "terminationReason": reason, "workflowOutput": output}
    return placed(Step("TERMINATE", ref, {name: value for name, value in said.items() if value is not None}))


def dynamic(ref: str, task: Value, /, **inputs: Any) -> Step:
    """Run the task whose name is known only when the workflow runs."""
    return placed(Step("DYNAMIC", ref, {"taskToExecute": task, **inputs}, {"dynamicTaskNameParam": "taskToExecute"}))


def sub_workflow(ref: str, child: str | Value, /, version: int | None = None, **inputs: Any) -> Step:
    """Run another workflow by its name and wait for its end; one written in Python is simply called."""
    param = {"name": child, "version": version} if version is not None else {"name": child}
    return placed(Step("SUB_WORKFLOW", ref, inputs, {"subWorkflowParam": param}))


def start_workflow(ref: str, child: str | Workflow, /, **inputs: Any) -> Step:
    """Start another workflow and go on at once; ``output.workflowId`` is its run."""
    named = {"name": child} if isinstance(child, str) else {"name": child.name, "version": child.version}
    return placed(Step("START_WORKFLOW", ref, {"startWorkflow": {**named, "input": inputs}}))


def exclusive_join(ref: str, /, *steps: Step, default: Step | None = None) -> Step:
    """Take the output of the first of these steps that has run: what follows need not ask which case was taken."""
    if not steps:
        raise BadWorkflow(f"{ref!r} has nothing to choose from")
    names = {"joinOn": [each.ref for each in steps]}
    fallback = {"defaultExclusiveJoinTask": [default.ref]} if default is not None else {}
    return placed(Step("EXCLUSIVE_JOIN", ref, {}, {**names, **fallback}))


def noop(ref: str, /) -> Step:
    """Do nothing: mark a place."""
    return placed(Step("NOOP", ref))
