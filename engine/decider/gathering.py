"""What the row of an open loop leaves to the rows of its iterations: taken out before storing, put in after reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from engine.decider.execution import steps_of
from engine.decider.layer import Layer
from engine.decider.plan import says
from engine.model.definition import WorkflowDef
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus
from engine.tasks import task_type
from engine.tasks.gathered import Gathered
from engine.tasks.step import TaskType


def as_stored(tasks: Layer[int, Task], seqs: Sequence[int]) -> tuple[Task, ...]:
    """Return these tasks as their rows have them: an ended one with all that it has gathered, an open one without."""
    rows = [tasks[seq] for seq in seqs]
    for place, task in enumerate(rows):
        if isinstance(task.output, Gathered):
            rows[place] = _as_stored(task, task.output)
    return tuple(rows)


def _as_stored(task: Task, output: Gathered) -> Task:
    # In either case it is another object than before: what is the very same object is not written.
    return msgspec.structs.replace(task, output=output.rest if task.status.is_open else dict(output))


def lacks_parts(task: Task) -> bool:
    """True for a task whose row leaves something to other rows.

    One that is cancelled may do so too: who ended the run could not read what it held.
    """
    number, output = task.iteration, task.output
    if number < 2 or not task.started_at or str(number - 1) in output or str(number) in output:
        return False
    stands = task.status in (TaskStatus.IN_PROGRESS, TaskStatus.CANCELED)
    return stands and says(task_type(task.type), TaskType.gathered)


def with_parts(workflow: Workflow, tasks: Sequence[Task], definition: WorkflowDef) -> tuple[Task, ...]:
    """Return all tasks of a run as they were before ``as_stored``; one whose row leads nowhere stays as it is."""
    by_seq = {task.seq: task for task in tasks}
    latest = {task.ref: task for task in tasks}
    for task in filter(lacks_parts, tasks):
        by_seq[task.seq] = _with_parts(workflow, task, by_seq, latest, definition)
    return tuple(by_seq.values())


def _with_parts(
    workflow: Workflow, task: Task, by_seq: Mapping[int, Task], latest: Mapping[str, Task], definition: WorkflowDef
) -> Task:
    way = [task]
    while way[0].parent:
        way.insert(0, by_seq[way[0].parent])
    steps = steps_of(workflow, way, definition)
    try:
        suffix = "".join(
            task_type(owner.type).branch(steps[owner.seq], owner, inner.branch).suffix for owner, inner in pairwise(way)
        )
        output = task_type(task.type).gathered(steps[task.seq], task, suffix, latest)
    except Exception:  # a branch, case or position that is not there, found out deep inside a task type
        return task
    return msgspec.structs.replace(task, output=output)
