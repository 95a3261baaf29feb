"""What whoever asks for a task is shown of it, once it was handed out."""

from __future__ import annotations

from msgspec.structs import replace

from engine.decider.execution import Execution
from engine.decider.place import described
from engine.model.request import HANDED_OUT, Outcome
from engine.wire.conductor import task_json


def with_task(run: Execution, outcome: Outcome) -> Outcome:
    """Return the outcome with the task that it hands out, as Conductor's Task object is now, under ``task``.

    Its input is left out: that is in the task's message, with its secrets. So the row that remembers the outcome does
    not repeat what the task's row has.
    """
    task = run.tasks.get(outcome.result.get(HANDED_OUT, 0))
    if task is None:
        return outcome
    shown = task_json(replace(task, input={}), run.workflow, described(run.plans[task.seq], task))
    return replace(outcome, result={**outcome.result, "task": shown})
