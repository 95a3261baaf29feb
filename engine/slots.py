"""Slots of limited tasks and runs on the road: what a round's decisions need and give back, and who is next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.clock import Instant
from engine.decider.admission import must_not_wait
from engine.decider.decide import Decision
from engine.decider.place import definition_of
from engine.errors import Transient
from engine.model.command import Command, SeeToSlot
from engine.model.event import SlotNews
from engine.model.execution import task_id
from engine.model.limit import MOST_GRANTS, Terms, limit_of_runs, terms_of, terms_of_runs
from engine.model.status import Slot
from engine.store.port import SlotTask, TaskKey, Transaction


class Overtaken(Transient):
    """Somebody else was faster: what was decided must be decided again, by what holds now."""


def see_to_slots(
    transaction: Transaction, stored: Iterable[tuple[Decision, Sequence[Command]]], now: Instant
) -> tuple[SlotNews, ...]:
    """Carry out every ``SeeToSlot`` among the commands of decisions that have been stored in this transaction.

    With each decision come the commands of events that had been applied before: their slots were exchanged then, but
    nobody may have been told. Returns the grants to be announced once the transaction is committed. Without a limited
    task among the decisions nothing is read or written.
    """
    errands = _Errands()
    for decision, recalled in stored:
        for commands in decision.commands.values():
            for command in commands:
                if isinstance(command, SeeToSlot):
                    errands.add(decision, command.seq)
        for command in recalled:
            if isinstance(command, SeeToSlot):
                errands.add_again(decision, command.seq)
    return errands.do(transaction, now) if errands.terms else ()


def registered_terms(transaction: Transaction, workflow: str) -> Terms | None:
    """Return how many runs of one key may go on as the newest registered version has it; None where it says nothing."""
    definition = transaction.workflow_def(workflow, None)
    terms = terms_of_runs(definition) if definition is not None else None
    return terms if terms is not None and terms.is_limited else None


def news_of(keys: Iterable[TaskKey]) -> tuple[SlotNews, ...]:
    """Return the news for tasks that have been granted a slot."""
    return tuple(
        SlotNews(event_id=f"{task_id(run, seq)}/slot", workflow_id=run, seq=seq, granted=True) for run, seq in keys
    )


def ask_again(keys: Iterable[TaskKey], now: Instant) -> tuple[SlotNews, ...]:
    """Return the news for tasks that are the first in line of a limit under which there may be room."""
    return tuple(
        SlotNews(event_id=f"{task_id(run, seq)}/ask/{now}", workflow_id=run, seq=seq, granted=False)
        for run, seq in keys
    )


class _Errands:
    """What has to be done for the slots of one round."""

    def __init__(self) -> None:
        self.waiting: dict[TaskKey, SlotTask] = {}
        self.ended: dict[TaskKey, SlotTask] = {}
        #: What limits allow by the runs' own definitions: counts for names that nobody has registered.
        self.terms: dict[str, Terms] = {}
        #: Limits of runs, each with the workflow whose runs they are.
        self.workflows: dict[str, str] = {}
        #: Runs that are granted a slot now or must not be.
        self.at_once: set[TaskKey] = set()
        #: Limits of which a grant may not have been announced.
        self.again: set[str] = set()

    def add(self, decision: Decision, seq: int) -> None:
        """Note a task or run that has come to need a slot, or has ended."""
        key, task = self._note(decision, seq)
        if seq < 0:
            self._add_run(decision, key, task)
            return
        row, _ = decision.draft.written(seq)
        if row.status.is_terminal:
            self.ended[key] = task
        elif row.slot is Slot.WAITING:
            self.waiting[key] = task
            before = decision.draft.base.tasks.get(seq)
            if before is not None and before.slot is Slot.WAITING:
                self.again.add(task.limit)

    def _add_run(self, decision: Decision, key: TaskKey, place: SlotTask) -> None:
        now, before = decision.workflow, decision.draft.loaded
        if now.slot is Slot.NONE or key[1] != -now.slot_no:
            self.ended[key] = place
        elif now.slot is Slot.WAITING:
            self.waiting[key] = place
            if must_not_wait(decision.draft):
                self.at_once.add(key)
            if before.slot is Slot.WAITING and before.slot_no == now.slot_no:
                self.again.add(place.limit)

    def add_again(self, decision: Decision, seq: int) -> None:
        """Note a task whose slot was seen to before the process that did it was lost.

        One that is no part of the flow any more has no name at hand: the timekeeper finds what was not announced.
        """
        if seq > 0 and seq not in decision.draft.tasks:
            return
        _, task = self._note(decision, seq)
        self.again.add(task.limit)

    def _note(self, decision: Decision, seq: int) -> tuple[TaskKey, SlotTask]:
        draft = decision.draft
        if seq < 0:
            return (draft.workflow.id, seq), self._place_of_run(decision, seq)
        task, config = draft.written(seq)
        self.terms[task.name] = terms_of(definition_of(config, task))
        place = SlotTask(
            limit=task.name,
            workflow_id=task.workflow_id,
            seq=seq,
            priority=draft.workflow.priority,
            since=task.visible_at,
        )
        return (task.workflow_id, seq), place

    def _place_of_run(self, decision: Decision, seq: int) -> SlotTask:
        workflow = decision.workflow
        limit = limit_of_runs(workflow.name, workflow.rate_limit_key or "")
        self.terms[limit] = terms_of_runs(decision.draft.definition)
        self.workflows[limit] = workflow.name
        return SlotTask(
            limit=limit,
            workflow_id=workflow.id,
            seq=seq,
            priority=workflow.priority,
            since=workflow.last_retried_at or workflow.created_at,
        )

    def do(self, transaction: Transaction, now: Instant) -> tuple[SlotNews, ...]:
        """Exchange the slots; return who is to be told."""
        transaction.lock_limits(self.terms)
        # Read under the lock: whoever registers another number meanwhile has the limit looked at once more.
        registered = {name: terms_of(each) for name, each in transaction.task_defs(list(self.terms)).items()}
        terms = {**self.terms, **registered}
        for limit, workflow in self.workflows.items():
            terms[limit] = registered_terms(transaction, workflow) or terms[limit]
        granted = transaction.exchange_slots(list(self.waiting.values()), list(self.ended.values()), terms, now)
        if not self.at_once <= set(granted) and len(granted) < MOST_GRANTS:
            raise Overtaken("a run that must not wait has found its slot taken by somebody else meanwhile")
        # Also those that another process granted by a clock that is ahead of ours.
        unsent = transaction.unsent_grants(self.again, None) if self.again else ()
        return news_of(dict.fromkeys((*granted, *unsent)))
