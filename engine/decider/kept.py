"""Results that are kept for a while: a later task of the same name and key has them at once (``cacheConfig``)."""

from __future__ import annotations

import msgspec

from engine.decider.context import evaluated
from engine.decider.draft import Draft
from engine.model.execution import Task
from engine.model.payload import JsonObject
from engine.model.question import KeptResult


def kept_output(draft: Draft, task: Task) -> JsonObject | None:
    """Return the output that a task about to be handed out has already, None where a worker has to find it.

    One that a worker wants back has been looked for before.
    """
    wanted = None if task.updated_at else _key(draft, task)
    if wanted is None:
        return None
    if wanted in draft.results:
        return draft.results[wanted][0]
    found: JsonObject | None = draft.ask(wanted)
    return found


def keep(draft: Draft, task: Task) -> None:
    """Have the output of a task that has just succeeded kept, if its step says so."""
    key, config = _key(draft, task), draft.plans[task.seq].step.cache_config
    if key is not None and config is not None:
        draft.results[key] = (dict(task.output), config.ttl_in_second)


def _key(draft: Draft, task: Task) -> KeptResult | None:
    """Return under which name and key a task's result is kept; None where it is not."""
    config = draft.plans[task.seq].step.cache_config
    if config is None or config.ttl_in_second <= 0:
        return None
    key = evaluated(draft, config.key, task.seq, roots=task.input)
    if key is None or key == "":
        # It names nothing of the input: to share one result among all would be a surprise.
        return None
    return KeptResult(task.name, key if isinstance(key, str) else msgspec.json.encode(key).decode())
