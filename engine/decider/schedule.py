"""New rows: the first attempt of a step, and the attempts after it."""

from __future__ import annotations

from engine.clock import Instant, after
from engine.decider.context import filled
from engine.decider.deadline import note_dates
from engine.decider.draft import Draft
from engine.decider.ending import abort
from engine.decider.execution import ListKey, OpenList
from engine.decider.plan import Plan, parameters, plan_of
from engine.decider.skip import skipped, wanted_skip
from engine.model.execution import NEVER, Task
from engine.model.payload import NOTHING, Json, JsonObject


def schedule(draft: Draft, key: ListKey, opened: OpenList, position: int) -> Task | None:
    """Write the first attempt of the step at this place; None when the run had to be failed instead."""
    config = opened.steps[position]
    plan = plan_of(config)
    plain = opened.ref_of(config)
    ref = plain + opened.suffix
    if draft.latest.get(ref) is not None:
        abort(draft, f"The workflow attempted to create a duplicate task reference name: {ref}")
        return None
    seq = draft.workflow.last_seq + 1
    wish = wanted_skip(draft, plain, ref)
    task = Task(
        workflow_id=draft.workflow.id,
        seq=seq,
        ref=ref,
        type=config.type,
        name=plan.name,
        parent=key[0],
        branch=key[1],
        position=position,
        iteration=opened.iteration if opened.iteration is not None else _iteration(draft, key),
        input=_own_input(draft, opened, plan, seq, None) if wish is None else NOTHING,
        output=NOTHING,
        first_scheduled_at=draft.now,
        scheduled_at=draft.now,
        visible_at=after(draft.now, config.start_delay) if config.start_delay else draft.now,
        updated_at=NEVER,
    )
    return draft.add(task if wish is None else skipped(draft, task, config, wish), plan, plain)


def schedule_retry(draft: Draft, failed: Task, at: Instant) -> Task:
    """Write the attempt after a failed one, to be started at ``at``; its input is evaluated again over the old one."""
    plan = draft.plans[failed.seq]
    opened = draft.lists[failed.parent, failed.branch]
    draft.change(failed, retried=True)
    delay = max(0, at - draft.now)
    seq = draft.workflow.last_seq + 1
    own = _own_input(draft, opened, plan, seq, failed)
    again = Task(
        workflow_id=failed.workflow_id,
        seq=seq,
        ref=failed.ref,
        type=failed.type,
        name=failed.name,
        parent=failed.parent,
        branch=failed.branch,
        position=failed.position,
        iteration=failed.iteration,
        attempt=failed.attempt + 1,
        retry_of=failed.seq,
        reason=failed.reason,
        input=own if plan.kind.wraps_input else {**failed.input, **own},
        output=NOTHING,
        domain=failed.domain,
        own_definition=failed.own_definition,
        callback_after_seconds=-(-delay // 1_000_000),
        first_scheduled_at=failed.first_scheduled_at,
        scheduled_at=draft.now,
        visible_at=Instant(draft.now + delay),
        queue=failed.queue,
    )
    again = draft.add(again, plan, opened.ref_of(plan.step))
    if delay:
        draft.wake_by(again.visible_at)
        note_dates(draft, again)
    return again


def _own_input(draft: Draft, opened: OpenList, plan: Plan, seq: int, before: Task | None) -> JsonObject:
    """Return a task's input: what its parameters come to, and over it, as it is, what its branch was given.

    ``before`` is the attempt before, which may have found a definition of its own.
    """
    return opened.laid_over(_evaluated_input(draft, plan, seq, before))


def _evaluated_input(draft: Draft, plan: Plan, seq: int, before: Task | None) -> dict[str, Json]:
    """Return a task's input: its parameters with expressions replaced, over the definition's template.

    Keys missing from the parameters come from the template before the evaluation; keys that turn out null fall back
    to the template's raw value afterwards (Conductor 2.7).
    """
    definition, given = plan.definition, plan.parameters
    if before is not None and before.own_definition is not None:
        definition, given = plan.definition_of(before), None
    values = filled(draft, given or parameters(plan.step, definition), seq)
    template = definition.input_template if plan.kind.takes_template else None
    if template:
        return {key: template[key] if value is None and key in template else value for key, value in values.items()}
    return dict(values) if values is plan.step.input_parameters else values


def _iteration(draft: Draft, key: ListKey) -> int:
    """Return the iteration of the enclosing loop, 0 outside loops."""
    return draft.tasks[key[0]].iteration if key[0] else 0
