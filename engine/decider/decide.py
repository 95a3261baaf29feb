"""The decision: facts in, new rows and commands out; no I/O, no clock, no chance.

``begin`` starts a run, ``decide`` carries an existing one on, ``give_up`` ends one that cannot be decided. None of them
changes the ``Execution`` it is given: the holder folds the decision in once it is stored. Deciding the same facts
twice from the same state gives the same decision, ids included, so a crash between deciding and storing costs
nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import assert_never

from msgspec import Struct

from engine.clock import Instant
from engine.decider import apply
from engine.decider.admission import admit, slot_news
from engine.decider.asked import ask
from engine.decider.carry import too_large
from engine.decider.deadline import workflow_deadline
from engine.decider.draft import Draft, Surroundings
from engine.decider.ending import end, tell_parent_again
from engine.decider.execution import ROOT, Execution, OpenList
from engine.decider.forget import forget
from engine.decider.gathering import as_stored
from engine.decider.notices import tell, tell_turns
from engine.decider.open_desk import OpenDesk
from engine.decider.schema import input_mismatch
from engine.decider.template_input import with_template
from engine.decider.wake import wake
from engine.decider.walk import Enter, Walk
from engine.errors import BadExpression, BadMessage
from engine.model import passing
from engine.model.command import Announce, Command, PassOn, Reply, SeeToSlot, TellParent
from engine.model.definition import WorkflowDef
from engine.model.earlier import EarlierRound
from engine.model.event import Asked, ChildEnded, ChildStarted, Event, SlotNews, StartWorkflow, TaskResult, Wake
from engine.model.execution import Task, Workflow
from engine.model.request import ASKED_BY, Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.operations import operations
from engine.operations.desk import refused
from engine.tasks.gathered import weight_of


class Decision(Struct, frozen=True):
    """What is to be stored and then done; ``draft`` folds it into the run it was decided on."""

    workflow: Workflow
    inserted: tuple[Task, ...]
    updated: tuple[Task, ...]
    #: What the run was, where it or a part of it is done over.
    earlier: EarlierRound | None
    #: Rows that are to be deleted for good.
    forgotten: tuple[int, ...]
    #: For each event, by its id, what it commands.
    commands: dict[str, tuple[Command, ...]]
    #: For each request, by its event id, how it was answered.
    outcomes: dict[str, Outcome]
    #: Facts that no longer fitted.
    dropped: int
    draft: Draft

    @property
    def is_empty(self) -> bool:
        """True when nothing about the run has changed."""
        changed = self.inserted or self.updated or self.earlier or self.forgotten or self.draft.removal
        return not changed and self.workflow == self.draft.loaded

    @property
    def writes_beside(self) -> bool:
        """True when more is to be stored than rows of the run: answers, slots, what is awaited, results for others."""
        slots = any(isinstance(command, SeeToSlot) for some in self.commands.values() for command in some)
        return bool(self.outcomes or self.draft.awaited or self.draft.results or slots)

    def to_be_known(self) -> Iterator[str]:
        """Yield the events that have to be recognised when they come again: what they led to cannot tell."""
        for event_id, commands in self.commands.items():
            if commands or event_id in self.outcomes or event_id in self.draft.counted:
                yield event_id


def new_run(start: StartWorkflow, definition: WorkflowDef, definition_hash: str, now: Instant) -> Execution:
    """Return the run that a start asks for, before its first step; raise ``BadMessage`` for a wrong input."""
    given = with_template(start.input, definition.input_template)
    wrong = input_mismatch(definition, given)
    if wrong is not None:
        raise BadMessage(f"Workflow {definition.name} cannot be started: {wrong}")
    workflow = Workflow(
        id=start.workflow_id,
        name=definition.name,
        version=definition.version,
        definition_hash=definition_hash,
        input=given,
        variables=dict(definition.variables),
        task_to_domain=start.task_to_domain,
        correlation_id=start.correlation_id,
        priority=start.priority,
        parent_id=start.parent_id,
        parent_task_id=start.parent_task_id if start.parent_id is not None else None,
        asked_by=[[start.parent_task_id, False]] if start.parent_task_id and start.parent_id is None else (),
        depth=start.depth,
        created_by=start.created_by,
        event=start.event,
        idempotency_key=start.idempotency_key,
        created_at=now,
        updated_at=now,
    )
    run = Execution(workflow, definition)
    run.fresh = False
    run.lists[ROOT] = OpenList(name="", steps=definition.tasks, live=1)
    return run


def begin(run: Execution, start: StartWorkflow, now: Instant, surroundings: Surroundings) -> Decision:
    """Carry a new run to its first rest, and tell whoever asked for it."""
    draft = Draft(run, now, surroundings)
    draft.wake_by(workflow_deadline(draft))
    draft.command(Announce(0, WorkflowStatus.RUNNING.value))
    tell(draft, "STARTED")
    if start.parent_task_id is not None:
        draft.command(TellParent(start.parent_task_id, started=True))
    admit(draft)
    walk = Walk(draft)
    walk.agenda.append(Enter(ROOT, 0))
    walk.to_rest()
    _expect_sizes(draft)
    _answer_start(draft, start)
    commands = {start.event_id: _commands(draft)}
    forget(draft, commands)
    return _decision(draft, commands, {})


def _answer_start(draft: Draft, start: StartWorkflow) -> None:
    if start.reply_to is not None:
        started = Outcome(granted=True, result={"workflowId": draft.workflow.id})
        draft.command(Reply(start.reply_to, start.reply_id, started))


def decide(execution: Execution, events: Sequence[Event], now: Instant, surroundings: Surroundings) -> Decision:
    """Apply facts to a run, in their order, and carry it to its next rest after each.

    A run just loaded is first picked up where its rows were left; what that commands goes with the first fact.
    """
    draft = Draft(execution, now, surroundings)
    walk = Walk(draft)
    commands: dict[str, tuple[Command, ...]] = {}
    outcomes: dict[str, Outcome] = {}
    if events and execution.fresh and draft.flows:
        walk.pick_up()
        walk.to_rest()
    for event in events:
        match event:
            case TaskResult():
                draft.dropped += not apply.task_result(walk, event)
            case Request():
                outcomes[event.event_id] = _operate(walk, event)
            case ChildStarted():
                draft.dropped += not apply.child_started(walk, event)
            case ChildEnded():
                draft.dropped += not apply.child_ended(walk, event)
            case Asked():
                ask(draft, event)
            case SlotNews():
                heed = apply.slot_news if event.seq > 0 else slot_news
                draft.dropped += not heed(walk, event)
            case Wake():
                draft.dropped += not wake(walk, event)
            case _:
                assert_never(event)
        walk.to_rest()
        commands[event.event_id] = _commands(draft)
    draft.refresh()
    _expect_sizes(draft)
    forget(draft, commands)
    return _decision(draft, commands, outcomes)


def _expect_sizes(draft: Draft) -> None:
    """Raise ``BadExpression`` when a loop that goes on has gathered more than may be stored."""
    if not draft.holding:
        return
    limit = draft.surroundings.limits.value_characters
    for seq in draft.touched:
        if seq in draft.holding and weight_of(draft.tasks[seq].output, limit) > limit:
            raise BadExpression(f"{too_large(draft.tasks[seq], limit)}; a loop keeps fewer iterations with keepLastN")


def _operate(walk: Walk, request: Request) -> Outcome:
    operation = operations().get(request.verb)
    if walk.draft.removal is not None:
        outcome = refused(404, f"No such workflow found by id: {request.workflow_id}")
    elif operation is None:
        outcome = refused(400, f"Unknown request {request.verb!r}: use one of {', '.join(sorted(operations()))}.")
    else:
        outcome = operation(OpenDesk(walk), request)
    _tell(walk.draft, request, outcome)
    return outcome


def _commands(draft: Draft) -> tuple[Command, ...]:
    if draft.turns:
        tell_turns(draft)
    return draft.take_commands()


def _tell(draft: Draft, request: Request, outcome: Outcome) -> None:
    """Answer whoever has asked: who waits for a reply, and the task of another run that wants to hear of it."""
    if request.reply_to is not None and outcome.code != passing.PASSED_ON:
        draft.command(Reply(request.reply_to, request.reply_id, outcome))
    if (heard := passing.answer(request, outcome)) is not None:
        draft.command(PassOn(heard))


def give_up(
    execution: Execution,
    facts: Sequence[Event | StartWorkflow],
    now: Instant,
    reason: str,
    told_statuses: frozenset[TaskStatus] = frozenset(),
) -> Decision:
    """Fail a run that cannot be decided, with the reason, so that it neither loops nor blocks its partition.

    The facts that it could not be decided on are done with; whoever asked for something among them is told.
    """
    draft = Draft(execution, now, Surroundings(told_statuses=told_statuses))
    outcomes: dict[str, Outcome] = {}
    for fact in facts:
        if isinstance(fact, StartWorkflow):
            if fact.parent_task_id is not None:
                draft.command(TellParent(fact.parent_task_id, started=True))
            _answer_start(draft, fact)
        elif isinstance(fact, Asked):
            ask(draft, fact)
    if draft.workflow.status.is_open:
        end(draft, WorkflowStatus.FAILED, reason, output={})
    first = facts[0].event_id if facts else f"{execution.workflow.id}/given up"
    commands = {first: _commands(draft)}
    for fact in facts:
        if isinstance(fact, Request):
            outcomes[fact.event_id] = refused(409, reason)
            _tell(draft, fact, outcomes[fact.event_id])
            if ASKED_BY in fact.arguments:
                tell_parent_again(draft, fact.event_id)
            commands[fact.event_id] = (*commands.get(fact.event_id, ()), *draft.take_commands())
        elif isinstance(fact, ChildStarted):
            apply.end_unwanted_child(draft, fact)
            commands[fact.event_id] = (*commands.get(fact.event_id, ()), *draft.take_commands())
    return _decision(draft, commands, outcomes)


def _decision(draft: Draft, commands: dict[str, tuple[Command, ...]], outcomes: dict[str, Outcome]) -> Decision:
    written = sorted(draft.touched)
    rows, new = as_stored(draft.tasks, written), bisect_right(written, draft.first_new)
    return Decision(
        workflow=draft.workflow,
        inserted=rows[new:],
        updated=rows[:new],
        earlier=_earlier(draft),
        forgotten=tuple(draft.forgotten),
        commands=commands,
        outcomes=outcomes,
        dropped=draft.dropped,
        draft=draft,
    )


def _earlier(draft: Draft) -> EarlierRound | None:
    """Return what the run was before the decision took rows out of its flow; numbered as the decision is stored."""
    if draft.earlier is None:
        return None
    tasks = tuple(draft.superseded[seq][0] for seq in sorted(draft.superseded))
    number = draft.loaded.version_no + 1
    return EarlierRound(number=number, at=draft.now, workflow=draft.earlier, tasks=tasks)
