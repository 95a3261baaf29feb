"""How a task fails on purpose: with a reason for people, an output for the workflow, and word on whether to retry."""

from __future__ import annotations

from engine.model.payload import Json, JsonObject


class TaskFailure(Exception):
    """The task failed; ``output`` becomes its output, and ``terminal`` says that no retry can help.

    Travels as an ordinary exception, so that it works from any Celery worker: its arguments are what is sent.
    """

    def __init__(self, reason: str, output: JsonObject | None = None, terminal: bool = False) -> None:
        # All three go to args: Celery sends these, and pickle rebuilds the exception from them.
        super().__init__(reason, dict(output or {}), terminal)

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return str(self.args[0])

    @property
    def output(self) -> dict[str, Json]:
        """What the task leaves for the workflow although it failed."""
        return dict(self.args[1])

    def __str__(self) -> str:
        return self.reason


class TerminalError(TaskFailure):
    """The task failed and would fail again: the workflow does not retry it."""

    def __init__(self, reason: str, output: JsonObject | None = None, terminal: bool = True) -> None:
        super().__init__(reason, output, terminal)
