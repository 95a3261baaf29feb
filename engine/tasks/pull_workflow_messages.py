"""PULL_WORKFLOW_MESSAGES: takes messages that were sent to the run, and waits for one (Conductor 3.22)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.payload import Json, JsonObject
from engine.tasks.step import At, Complete, Fail, Hold, Step, TakeMessages, TaskType

#: The most that one task takes; Conductor's limit.
_LARGEST_BATCH = 100


class PullWorkflowMessages(TaskType):
    """Takes up to ``batchSize`` at once if any are there; else it waits, unless ``blocking`` is false."""

    name = "PULL_WORKFLOW_MESSAGES"
    takes_messages = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Refuse literal values that cannot be meant."""
        given = config.input_parameters
        if not is_expression(given.get("batchSize")) and (wrong := _batch_fault(given)):
            yield Fault("inputParameters.batchSize", wrong)
        if not is_expression(given.get("blocking")) and (wrong := _blocking_fault(given)):
            yield Fault("inputParameters.blocking", wrong)

    def start(self, at: At) -> Step:
        """Take what is there, or wait for the first message."""
        given = at.task.input
        if wrong := _batch_fault(given) or _blocking_fault(given):
            return Fail(reason=wrong, terminal=True)
        if at.workflow.messages:
            return TakeMessages(most=_batch(given))
        return Complete(output={"messages": [], "count": 0}) if given.get("blocking") is False else Hold()

    def message_came(self, at: At) -> Step:
        """Take what was sent."""
        return TakeMessages(most=_batch(at.task.input))


def _batch(given: JsonObject) -> int:
    size: Json = given.get("batchSize")
    return 1 if size is None else int(size)


def _batch_fault(given: JsonObject) -> str | None:
    size = given.get("batchSize")
    if size is None or (isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= _LARGEST_BATCH):
        return None
    return f"'batchSize' must be a whole number from 1 to {_LARGEST_BATCH}, not {size!r:.100}"


def _blocking_fault(given: JsonObject) -> str | None:
    blocking = given.get("blocking")
    return (
        None
        if blocking is None or isinstance(blocking, bool)
        else f"'blocking' must be true or false: {blocking!r:.100}"
    )


TYPE = PullWorkflowMessages()
