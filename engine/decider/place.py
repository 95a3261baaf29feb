"""Where a task stands: what its type is shown when it is asked what to do."""

from __future__ import annotations

from types import MappingProxyType

from engine.clock import Instant
from engine.decider.context import evaluated, looked_at
from engine.decider.draft import Draft
from engine.decider.execution import OpenList
from engine.decider.plan import Plan, plan_of
from engine.decider.shown import shown
from engine.expression.budget import Budget
from engine.expression.script import evaluate
from engine.model.definition import TaskDef, WorkflowTask
from engine.model.execution import Task, Workflow
from engine.model.limit import limits
from engine.model.payload import Json, JsonObject
from engine.model.question import RunOf
from engine.tasks.limits import Limits
from engine.wire.conductor import Described


class Place:
    """One task in its list, with the run around it; implements ``tasks.step.At``."""

    __slots__ = ("_draft", "_opened", "config", "kind", "now", "task")

    def __init__(self, draft: Draft, opened: OpenList, plan: Plan, task: Task) -> None:
        self._draft = draft
        self._opened = opened
        self.config = plan.step
        self.kind = plan.kind
        self.task = task
        self.now: Instant = draft.now

    @property
    def workflow(self) -> Workflow:
        """The run's record."""
        return self._draft.workflow

    @property
    def limits(self) -> Limits:
        """What a condition may cost."""
        return self._draft.surroundings.limits

    @property
    def suffix(self) -> str:
        """The loop suffix of the list in which the task stands."""
        return self._opened.suffix

    def substitute(self, value: Json) -> Json:
        """Return ``value`` with its expressions replaced."""
        return evaluated(self._draft, value, self.task.seq)

    def look(self, value: Json) -> Json:
        """Return what ``substitute`` does, for what is neither kept nor written."""
        return looked_at(self._draft, value, self.task.seq)

    def evaluate(
        self, evaluator_type: str, expression: str, given: JsonObject, names: JsonObject = MappingProxyType({})
    ) -> Json:
        """Return what a condition evaluates to; its costs count in the decision's effort."""
        limits, budget = self.limits, Budget()
        try:
            return evaluate(
                evaluator_type,
                expression,
                given,
                time_limit_seconds=limits.script_seconds,
                memory_limit_bytes=limits.script_bytes,
                names=names,
                budget=budget,
            )
        finally:
            self._draft.effort += budget.steps

    def latest(self, ref: str) -> Task | None:
        """Return the last attempt of the task with this full reference name."""
        seq = self._draft.latest.get(ref)
        return None if seq is None else self._draft.tasks[seq]

    def run(self, workflow_id: str, *, with_tasks: bool) -> JsonObject | str:
        """Return how the run of this id stands, or why that cannot be told."""
        draft = self._draft
        if workflow_id == draft.workflow.id:
            tasks = [draft.tasks[seq] for seq in sorted(draft.tasks)] if with_tasks else ()
            plans = draft.plans
            return shown(
                draft.workflow,
                tasks,
                draft.definition,
                lambda task: described(plans[task.seq], task),
                with_tasks=with_tasks,
            )
        found: JsonObject | str | None = draft.ask(RunOf(workflow_id, with_tasks))
        return f"Nothing is known of workflow {workflow_id} yet" if found is None else found

    def previous(self) -> tuple[WorkflowTask, Task] | None:
        """Return the step and task before this one in its list."""
        if self.task.position == 0:
            return None
        config = self._opened.steps[self.task.position - 1]
        task = self.latest(self._opened.ref_of(config) + self._opened.suffix)
        return None if task is None else (config, task)

    def next_step(self) -> WorkflowTask | None:
        """Return the step behind this one in its list."""
        steps = self._opened.steps
        return steps[self.task.position + 1] if self.task.position + 1 < len(steps) else None

    def task_def(self, name: str) -> TaskDef | None:
        """Return the registered task definition of that name."""
        return self._draft.surroundings.task_defs.get(name)


def place_of(draft: Draft, task: Task) -> Place | None:
    """Return where a task stands, or None when its list has ended."""
    opened = draft.lists.get((task.parent, task.branch))
    return None if opened is None else Place(draft, opened, draft.plans[task.seq], task)


def definition_of(config: WorkflowTask, task: Task) -> TaskDef:
    """Return the task definition that applies to a task; see ``Plan.definition_of``."""
    return plan_of(config).definition_of(task)


def described(plan: Plan, task: Task) -> Described:
    """Return what Conductor's Task object says beyond the row itself."""
    return Described(
        step=plan.step,
        task_type=plan.kind.shown_type(task),
        task_def_name=task.name,
        definition=plan.definition_of(task),
    )


def is_limited(draft: Draft, task: Task) -> bool:
    """True when the task's name is limited: as it is registered now, else as the run's own definition says."""
    registered, plan = draft.surroundings.task_defs.get(task.name), draft.plans[task.seq]
    if registered is None and task.own_definition is None:
        return plan.is_limited
    return limits(registered or plan.definition_of(task))


def retry_limit(config: WorkflowTask, task: Task) -> int:
    """Return how many further attempts a task may have: the step's own number, else its definition's."""
    if config.retry_count is not None:
        return config.retry_count
    return definition_of(config, task).retry_count
