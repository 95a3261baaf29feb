"""The states of tasks and workflows as tables: what may follow what, and what each state means.

Everything that decides whether a move is allowed reads these two tables; the diagrams in ``docs/`` are drawn from
them. The rules are Conductor's, minus the moves that only its races make possible.
"""

from __future__ import annotations

from enum import StrEnum


class TaskStatus(StrEnum):
    """Where one attempt of a task stands."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    FAILED_WITH_TERMINAL_ERROR = "FAILED_WITH_TERMINAL_ERROR"
    TIMED_OUT = "TIMED_OUT"
    CANCELED = "CANCELED"
    SKIPPED = "SKIPPED"

    #: A worker, a person or a date may still move the task.
    is_open: bool
    #: This attempt has ended, whatever the outcome.
    is_terminal: bool
    #: The workflow may go on behind this attempt.
    is_successful: bool
    #: A further attempt may mend this outcome.
    is_retriable: bool


class WorkflowStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    TERMINATED = "TERMINATED"

    #: The run can still change by itself.
    is_open: bool
    #: The run has ended.
    is_terminal: bool


class Slot(StrEnum):
    """Where a task stands with the limit of its name (``architecture/limits``)."""

    #: It needs none: its name has no limit, or it has not come to be handed out.
    NONE = ""
    #: It stands in line and is not handed out.
    WAITING = "WAITING"
    #: It counts among those that are out, until this attempt has ended.
    HELD = "HELD"


OPEN_TASK = frozenset({TaskStatus.SCHEDULED, TaskStatus.IN_PROGRESS})
SUCCESSFUL_TASK = frozenset({TaskStatus.COMPLETED, TaskStatus.COMPLETED_WITH_ERRORS, TaskStatus.SKIPPED})
RETRIABLE_TASK = frozenset({TaskStatus.FAILED, TaskStatus.TIMED_OUT})
OPEN_WORKFLOW = frozenset({WorkflowStatus.RUNNING, WorkflowStatus.PAUSED})

# What each status means is asked several times at every step of every run: it is looked up here, once.
for task_status in TaskStatus:
    task_status.is_open = task_status in OPEN_TASK
    task_status.is_terminal = task_status not in OPEN_TASK
    task_status.is_successful = task_status in SUCCESSFUL_TASK
    task_status.is_retriable = task_status in RETRIABLE_TASK
for workflow_status in WorkflowStatus:
    workflow_status.is_open = workflow_status in OPEN_WORKFLOW
    workflow_status.is_terminal = workflow_status not in OPEN_WORKFLOW

_ENDS = frozenset(TaskStatus) - OPEN_TASK

#: From each task status, those that may follow. SCHEDULED may end directly: a worker's result can overtake its own
#: sign of life. FAILED, TIMED_OUT and CANCELED become COMPLETED_WITH_ERRORS when the task is optional. CANCELED,
#: FAILED and FAILED_WITH_TERMINAL_ERROR return to IN_PROGRESS only where a retry reopens a container in its place;
#: COMPLETED and COMPLETED_WITH_ERRORS do where an operator has a list of the container, or the child of the task, done
#: over.
TASK_TRANSITIONS: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.SCHEDULED: _ENDS | {TaskStatus.IN_PROGRESS},
    TaskStatus.IN_PROGRESS: _ENDS | {TaskStatus.SCHEDULED},
    TaskStatus.FAILED: frozenset({TaskStatus.COMPLETED_WITH_ERRORS, TaskStatus.IN_PROGRESS}),
    TaskStatus.FAILED_WITH_TERMINAL_ERROR: frozenset({TaskStatus.COMPLETED_WITH_ERRORS, TaskStatus.IN_PROGRESS}),
    TaskStatus.TIMED_OUT: frozenset({TaskStatus.COMPLETED_WITH_ERRORS, TaskStatus.IN_PROGRESS}),
    TaskStatus.CANCELED: frozenset({TaskStatus.COMPLETED_WITH_ERRORS, TaskStatus.IN_PROGRESS}),
    TaskStatus.COMPLETED: frozenset({TaskStatus.IN_PROGRESS}),
    TaskStatus.COMPLETED_WITH_ERRORS: frozenset({TaskStatus.IN_PROGRESS}),
    TaskStatus.SKIPPED: frozenset(),
}

#: From each workflow status, those that may follow. The way back from an end is an operator's.
WORKFLOW_TRANSITIONS: dict[WorkflowStatus, frozenset[WorkflowStatus]] = {
    WorkflowStatus.RUNNING: frozenset(WorkflowStatus) - {WorkflowStatus.RUNNING},
    WorkflowStatus.PAUSED: frozenset(WorkflowStatus) - {WorkflowStatus.PAUSED},
    WorkflowStatus.COMPLETED: frozenset({WorkflowStatus.RUNNING}),
    WorkflowStatus.FAILED: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.TERMINATED}),
    WorkflowStatus.TIMED_OUT: frozenset({WorkflowStatus.RUNNING, WorkflowStatus.TERMINATED}),
    WorkflowStatus.TERMINATED: frozenset({WorkflowStatus.RUNNING}),
}
