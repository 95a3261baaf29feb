"""HTTP_POLL: calls a web service again and again until a condition holds (Orkes); the body of one call is a worker's.

Between two calls the task has no message anywhere and keeps no worker busy: it has a date.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.errors import Fault
from engine.expression.script import is_true
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.model.payload import Json, JsonObject
from engine.tasks.step import At, Complete, Fail, HandOutLater, Step, required
from engine.tasks.system import SystemTask

#: What the worker's answer holds beside the output: what the condition came to, and which call it was, from 0.
_CONDITION: Final = "condition"
_CALL: Final = "call"

_INTERVAL_SECONDS: Final = 60
_MOST_POLLS: Final = 1_000
_STRATEGIES: Final = ("FIXED", "LINEAR_BACKOFF", "EXPONENTIAL_BACKOFF")

#: The longest pause that a back-off grows to, seconds.
_LONGEST_PAUSE: Final = 86_400


class HttpPoll(SystemTask):
    """Takes HTTP's request, with what says when to ask again and when it is enough, under ``http_request`` or flat."""

    name = "HTTP_POLL"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a request and a condition, and refuse literal values that cannot be meant."""
        template = config.task_definition.input_template if config.task_definition else {}
        given = {**template, **config.input_parameters}
        found = any(key in given for key in ("http_request", "uri", "method"))
        yield from required(config, "inputParameters.http_request", found)
        request = _request(given)
        if not found or is_expression(given.get("http_request")):
            return
        yield from required(config, "terminationCondition", request.get("terminationCondition"))
        path = "inputParameters.http_request" if request is not given else "inputParameters"
        for field, wrong in _faults({key: value for key, value in request.items() if not is_expression(value)}):
            yield Fault(f"{path}.{field}", wrong)

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the condition where it is a text without ``${…}`` in it."""
        condition = _request(config.input_parameters).get("terminationCondition")
        if isinstance(condition, str) and not is_expression(condition):
            yield "terminationCondition", condition

    def start(self, at: At) -> Step:
        """Have the service called, if it is clear what to do with its answer."""
        wrong = next(_faults(_request(at.task.input)), None)
        return super().start(at) if wrong is None else Fail(reason=f"{wrong[0]} {wrong[1]}", terminal=True)

    def is_outdated(self, task: Task, output: JsonObject) -> bool:
        """True for the answer to a call that was answered before: its worker was lost, or the message came twice."""
        return _CONDITION in output and output.get(_CALL) != task.polls

    def worker_done(self, at: At, output: JsonObject) -> Step | None:
        """Look at what the condition came to: done, failed (a number below 0), or the next call after a pause."""
        if _CONDITION not in output:
            return None
        held = output[_CONDITION]
        answer = {key: value for key, value in output.items() if key not in (_CONDITION, _CALL)}
        if is_true(held):
            return None if at.config.async_complete else Complete(output=answer)
        if isinstance(held, int | float) and held < 0:
            return Fail(reason=f"The terminationCondition came to {held}", output=answer)
        polls, request = at.task.polls + 1, _request(at.task.input)
        most = _number(request, "maxPollCount", _MOST_POLLS)
        if polls >= most:
            reason = f"The terminationCondition did not hold after {polls} calls (maxPollCount is {most})"
            return Fail(reason=reason, output=answer)
        return HandOutLater(after_seconds=_pause(request, polls), output=answer)


def _request(given: JsonObject) -> JsonObject:
    request: Json = given.get("http_request")
    return request if isinstance(request, dict) else given


def _faults(request: JsonObject) -> Iterator[tuple[str, str]]:
    """Yield the fields with which nothing can be done, each with what is wrong with it."""
    for field in ("pollingInterval", "maxPollCount"):
        value = request.get(field)
        try:
            _number(request, field, 1)
        except ValueError:
            yield field, f"must be a whole number above 0, not {value!r:.100}"
    strategy = request.get("pollingStrategy")
    if strategy is not None and strategy not in _STRATEGIES:
        yield "pollingStrategy", f"must be one of {', '.join(_STRATEGIES)}, not {strategy!r:.100}"


def _number(request: JsonObject, field: str, default: int) -> int:
    """Return a whole number above 0, which may be written as a text; raise ValueError for anything else."""
    value = request.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 9 or int(value) < 1:
        raise ValueError(field)
    return int(value)


def _pause(request: JsonObject, polls: int) -> int:
    """Return the seconds until the next call, after so many of them."""
    interval = _number(request, "pollingInterval", _INTERVAL_SECONDS)
    match request.get("pollingStrategy"):
        case "LINEAR_BACKOFF":
            pause = interval * polls
        case "EXPONENTIAL_BACKOFF":
            pause = interval * 2 ** min(polls - 1, 30)
        case _:
            return interval
    return max(interval, min(pause, _LONGEST_PAUSE))


TYPE = HttpPoll()
