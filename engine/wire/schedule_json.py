"""Schedules as Conductor's clients see them, what became of their dates, and the start of a date's run."""

from __future__ import annotations

from engine.clock import milliseconds
from engine.model.event import StartWorkflow
from engine.model.execution import NEVER
from engine.model.payload import Json, JsonObject
from engine.model.schedule import Date, ExecutionState, Progress, Schedule, ScheduleExecution
from engine.wire.start_message import derived_id, read_start


def schedule_json(schedule: Schedule, progress: Progress) -> dict[str, Json]:
    """Return Conductor's WorkflowSchedule; ``nextRunTime`` is missing while nothing is to come."""
    shown = schedule.to_json()
    if progress.next_at != NEVER and not schedule.paused:
        shown["nextRunTime"] = milliseconds(progress.next_at)
    return shown


def execution_json(execution: ScheduleExecution) -> dict[str, Json]:
    """Return Conductor's record of a date that was taken up."""
    shown: dict[str, Json] = {
        "executionId": execution.id,
        "scheduleName": execution.schedule,
        "scheduledTime": milliseconds(execution.at),
        "executionTime": milliseconds(execution.executed_at),
        "workflowName": execution.workflow_name,
        "startWorkflowRequest": execution.request,
        "state": execution.state.value,
        "zoneId": execution.zone,
    }
    if execution.state is not ExecutionState.FAILED:
        shown["workflowId"] = execution.id
    if execution.reason is not None:
        shown["reason"] = execution.reason
    return shown


def run_of(schedule: str, date: int) -> str:
    """Return the id of the run that a date of a schedule starts: the same whoever starts it, however often."""
    return derived_id("schedule", schedule, str(date))


def request_of(schedule: Schedule, date: Date, now: int) -> dict[str, Json]:
    """Return the start request of a date, with what the run is told of it."""
    request = schedule.start_workflow_request
    given = request.get("input") or {}
    told = {
        "_startedByScheduler": schedule.name,
        "_scheduledTime": milliseconds(date.at),
        "_executedTime": milliseconds(now),
        "_executionId": run_of(schedule.name, date.at),
        "_schedulerCron": f"{date.cron} {date.zone}",
    }
    return {**request, "input": {**given, **told}}


def start_of(execution: ScheduleExecution) -> StartWorkflow:
    """Return the start of an execution's run; raise ``BadMessage`` when the request cannot be read."""
    return read_schedule_start({**execution.request, "workflowId": execution.id}, execution.id)


def read_schedule_start(request: JsonObject, workflow_id: str) -> StartWorkflow:
    """Read a start request; raise ``BadMessage`` naming every field that is wrong."""
    return read_start(
        request, lambda: workflow_id, subject="startWorkflowRequest", message_id=f"schedule/{workflow_id}"
    )
