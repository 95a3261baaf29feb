"""Whether a failed attempt gets another one, and after which delay (Conductor 1.3 and 4.3.1)."""

from __future__ import annotations

from zlib import crc32

from engine.clock import MILLISECOND, SECOND, Instant, after
from engine.decider.place import definition_of, retry_limit
from engine.model.definition import RetryLogic, TaskDef, WorkflowTask
from engine.model.execution import Task
from engine.tasks import task_type

#: Conductor's delays are 32-bit seconds; what grows beyond ends here.
_LONGEST_SECONDS = 2_147_483_647


def may_retry(config: WorkflowTask, task: Task) -> bool:
    """True when the attempt's outcome can be mended and attempts are left."""
    return task.status.is_retriable and task_type(config.type).retriable and task.attempt < retry_limit(config, task)


def total_time_spent(config: WorkflowTask, task: Task, now: Instant) -> str | None:
    """Return the reason why no further attempt is made although some are left: the budget over all is spent."""
    budget = definition_of(config, task).total_timeout_seconds
    elapsed = (now - task.first_scheduled_at) // SECOND
    if not budget or elapsed < budget:
        return None
    return (
        f"Task {task.id}/{task.name} exceeded total timeout of {budget} seconds (elapsed {elapsed} seconds across all "
        "attempts). No further retries will be attempted."
    )


def retry_at(definition: TaskDef, task: Task, now: Instant) -> Instant:
    """Return when the next attempt is to be handed out.

    The jitter is drawn from the task's id, so that deciding the same thing twice gives the same date.
    """
    jitter = 0
    if definition.backoff_jitter_ms:
        share = crc32(task.id.encode()) / 0xFFFFFFFF
        jitter = round(share * definition.backoff_jitter_ms * MILLISECOND)
    return Instant(after(now, delay_seconds(definition, task.attempt)) + jitter)


def delay_seconds(definition: TaskDef, attempt: int) -> int:
    """Return the delay after the failure of ``attempt`` (0 is the first), capped, without jitter."""
    base = definition.retry_delay_seconds
    match definition.retry_logic:
        case RetryLogic.FIXED:
            delay = base
        case RetryLogic.LINEAR_BACKOFF:
            delay = base * definition.backoff_scale_factor * (attempt + 1)
        case RetryLogic.EXPONENTIAL_BACKOFF:
            delay = base * 2 ** min(attempt, 31)
    delay = min(delay, _LONGEST_SECONDS)
    cap = definition.max_retry_delay_seconds
    return min(delay, cap) if cap else delay
