"""The road: the only way in which a workflow changes.

A batch is what has arrived meanwhile. It is read, the runs it concerns are loaded if they are not at hand, each is
decided upon, all decisions are saved in one transaction, all commands are published, and only when the broker has
confirmed them are the deliveries acked (invariant I1). So:

* a crash before the commit: the deliveries come again and are decided as if for the first time;
* a crash after it: they come again and are found among the row's ``unconfirmed`` events; nothing is applied twice,
  and everything they commanded is published once more (I2);
* a row that somebody else has changed: the copy at hand is dropped, the row loaded, and decided again (I3);
* a message that nobody can read: a dead letter with the reason, and the others go on (I5);
* a run that cannot be decided: it fails, with the reason, and its neighbours go on (I6).

The database or the broker going away raises ``Transient``: nothing is acked, the caller waits and tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from engine.alerts import log_alerts
from engine.awaited import keep_awaited
from engine.batch import Batch, Counts, Group
from engine.broker.port import Broker, Unsendable
from engine.clock import Clock, Instant
from engine.config import Settings
from engine.decider.asked import has_asked
from engine.decider.decide import Decision, give_up, new_run
from engine.decider.messages import messages
from engine.decider.residents import Resident, Residents
from engine.decider.unconfirmed import Note, notes, recall
from engine.errors import BadExpression, Deadly, PayloadLost, Permanent, StoreUnavailable, Transient
from engine.log import get_logger
from engine.model import passing
from engine.model.command import Command
from engine.model.event import Event, StartWorkflow, Wake
from engine.model.request import Request
from engine.named_values import environment_values, runtime_values, secret_values
from engine.operations import as_logged, is_logged
from engine.outlook import Outlook
from engine.results import keep_results
from engine.round import Round
from engine.saving import Stored, save_of, tidings
from engine.slots import Overtaken, see_to_slots
from engine.store.port import LoggedRequest, Save, Store, Transaction
from engine.wire.message import Delivery, Message
from engine.wire.request_message import encode_slot_news

log = get_logger(__name__)

#: Events of which a process remembers that it has sent what they command.
_MOST_SEEN_TO = 10_000

#: Messages made and published in one go; a fork commands tens of thousands, each two kilobytes until it is confirmed.
_MOST_MESSAGES = 500

#: Rounds in which rows may turn out to have moved on before the batch is given back to the broker.
_MOST_ROUNDS = 10


class Decided(Struct, frozen=True):
    """One run's decision with what is needed to finish the job after the commit."""

    group: Group
    resident: Resident
    decision: Decision
    save: Save | None
    #: Commands of events that had been applied before, to be published again.
    recalled: tuple[Command, ...]

    @property
    def commands(self) -> list[Command]:
        """Everything that is to be published for the run."""
        return [*self.recalled, *(command for some in self.decision.commands.values() for command in some)]


class Executor:
    """One road, for one thread: it owns a store, a broker connection and the runs it keeps in memory."""

    def __init__(self, store: Store, broker: Broker, clock: Clock, settings: Settings, partitions: int) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._settings = settings
        self._partitions = partitions
        self._outlook = Outlook(settings, broker)
        self._secrets = secret_values(settings.secrets_directory)
        self._runtime = runtime_values(self._secrets, environment_values())
        self._residents = Residents(settings.cache_workflows, settings.cache_tasks, settings.cache_bytes)
        self._known_queues: set[str] = set()
        #: Notes whose commands the broker has confirmed to this process, by run, the oldest first.
        self._seen_to: dict[tuple[str, Note], None] = {}
        self.counts = Counts()

    def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Take a batch from its delivery to its ack. Raises ``Transient`` when it has to be tried again."""
        self._carry(deliveries, Batch.read(deliveries, self._clock.now(), self._settings.payload_limit_bytes))

    def set_aside(self, delivery: Delivery, reason: str) -> None:
        """End the run that a deadly message is about, for this reason, and keep the message as a dead letter."""
        now, limit = self._clock.now(), self._settings.payload_limit_bytes
        self._carry([delivery], Batch.condemned(delivery, reason, now, limit, self._partitions))

    def _carry(self, deliveries: Sequence[Delivery], batch: Batch) -> None:
        self.counts.batches += 1
        self.counts.buried += len(batch.outgoing)
        self._carry_out(batch)
        self._broker.ack(deliveries)

    def forget(self) -> None:
        """Drop every run from memory: partitions have changed hands, or the store cannot be trusted to be in step."""
        self._residents.clear()

    def _carry_out(self, batch: Batch) -> None:
        finished: list[Decided] = []
        rounds = 0
        while batch.groups:
            rounds += 1
            if rounds > _MOST_ROUNDS:
                raise StoreUnavailable(f"{len(batch.groups)} workflows were changed by somebody else again and again")
            finished += self._together(batch)
        follow_up = Batch()
        self._publish(self._outgoing(batch, finished, follow_up), follow_up)
        if follow_up.groups:
            # Until this is done too, the events must stay known: nobody delivers the news that follows from them again.
            self._carry_out(follow_up)
        self._note_confirmed(finished)

    def _together(self, batch: Batch) -> list[Decided]:
        """Do a round for all runs of the batch; where one of them makes it fail, do one for each."""
        groups = list(batch.groups.values())
        try:
            return self._round(batch, groups)
        except Overtaken:
            return []
        except Transient:
            raise
        except Exception as error:
            log.warning("batch.divided", runs=len(groups), reason=f"{type(error).__name__}: {error}")
        left = [group for group in groups if batch.groups.get(group.workflow_id) is group]
        return [done for group in left for done in self._alone(batch, group)]

    def _alone(self, batch: Batch, group: Group) -> list[Decided]:
        """Do a round for one run; one that cannot be stored is ended; if even that fails, its news is buried (I6)."""
        for _ in range(2):
            try:
                return self._round(batch, [group])
            except Transient:
                raise
            except Exception as error:
                group.fault = error
        log.error("workflow.unstorable", workflow_id=group.workflow_id, exc_info=group.fault)
        batch.bury_news(group, self._clock.now())
        return []

    def _round(self, batch: Batch, groups: Sequence[Group]) -> list[Decided]:
        """Decide, save and commit once; what could not be saved stays in the batch for another round."""
        now = self._clock.now()
        try:
            with self._store.transaction() as transaction:
                work = Round(transaction, batch, now, self._residents, self._outlook)
                work.load(groups)
                starting = any(group.start is not None for group in groups)
                waking = any(isinstance(event, Wake) for group in groups for event in group.events)
                work.surroundings = self._outlook.surroundings(transaction, now, starting=starting, waking=waking)
                decided = [done for group in groups if (done := self._decide(work, group)) is not None]
                queues = self._note_queues(transaction, decided)
                last = not any(each.recalled or each.decision.writes_beside for each in decided)
                written = transaction.save([each.save for each in decided if each.save is not None], last=last)
                stood = [each for each in decided if each.save is None or each.group.workflow_id in written]
                self._log_requests(transaction, stood, now)
                keep_awaited(transaction, (each.decision for each in stood))
                keep_results(transaction, (each.decision for each in stood), now)
                granted = see_to_slots(transaction, [(each.decision, each.recalled) for each in stood], now)
        except BaseException:
            self._outlook.forget()
            raise
        self._known_queues |= queues
        for each in decided:
            if each.save is not None and each.group.workflow_id not in written:
                self.counts.conflicts += 1
                self._residents.drop(each.group.workflow_id)
                # A start could not be written because its run exists: from now on it is looked at as such.
                each.group.start_exists = each.group.start is not None
        batch.outgoing += [encode_slot_news(news, self._partitions) for news in granted]
        self.counts.alerts += log_alerts(each.decision for each in stood)
        for each in stood:
            self._fold(each)
            batch.done_with(each.group)
        return stood

    # before the commit

    def _decide(self, work: Round, group: Group) -> Decided | None:
        resident = work.run_of(group)
        if resident is not None and group.start is not None and not work.is_read(group):
            # The answer depends on how the run stands; this decider may have begun it and another one moved it on.
            group.start_exists = True
            work.read_anew(group)
            resident = work.run_of(group)
        if resident is None:
            if group.start is not None:
                return self._begin(work, group)
            self._unknown(work, group)
            return None
        recalled = [] if group.deadly else list(self._start_again(resident, work.batch, group))
        events = list(work.batch.asked(group, resident.run.workflow, self._partitions))
        asked = len(events)
        for event in group.events:
            asks_memory = group.may_be_known(event, read=work.is_read(group))
            known = recall(resident.run.workflow.unconfirmed, event.event_id) if asks_memory else None
            if known is None or (isinstance(event, Request) and event.may_repeat):
                answer = self._answered_before(work, group, event)
                known = known if answer is None else (*(known or ()), *answer)
            if known is None:
                events.append(event)
            elif not self._was_seen_to(resident, event):
                recalled += known
        resident.fault = resident.fault or group.fault
        decision = self._safely(resident, events, work.now, lambda: work.decide(resident.run, events))
        save = save_of(work.transaction, resident, decision, work.now)
        if save is None and group.events and not work.is_read(group):
            # No save will notice when the run at hand is older than its row, and news of what has happened there
            # since does not fit the older one: only the rows may say that nothing is to be done.
            work.read_anew(group)
            return self._decide(work, group)
        self.counts.recalled += len(group.events) + asked - len(events)
        self.counts.events += len(events)
        self.counts.dropped += decision.dropped
        return Decided(group, resident, decision, save, tuple(recalled))

    def _safely(
        self, resident: Resident, facts: Sequence[Event | StartWorkflow], now: Instant, decision: Callable[[], Decision]
    ) -> Decision:
        """Decide; a run that cannot be decided fails with the reason instead (I6)."""
        if resident.fault is not None:
            return self._give_up(resident, facts, now, resident.fault)
        try:
            return decision()
        except Exception as error:
            return self._give_up(resident, facts, now, error)

    def _give_up(
        self, resident: Resident, facts: Sequence[Event | StartWorkflow], now: Instant, error: Exception
    ) -> Decision:
        workflow = resident.run.workflow
        self.counts.given_up += 1
        if isinstance(error, BadExpression | Deadly | PayloadLost):
            log.warning("workflow.undecidable", workflow_id=workflow.id, name=workflow.name, reason=str(error))
            return give_up(resident.run, facts, now, str(error), self._outlook.told_statuses)
        log.error("workflow.undecidable", workflow_id=workflow.id, name=workflow.name, exc_info=error)
        reason = f"The decider could not decide this workflow: {type(error).__name__}: {error}"
        return give_up(resident.run, facts, now, reason, self._outlook.told_statuses)

    def _begin(self, work: Round, group: Group) -> Decided | None:
        """Start the run that a group asks for, or refuse to."""
        start = group.start
        assert start is not None
        try:
            group.expect_size(self._settings.payload_limit_bytes)
            digest, definition = self._outlook.definition(work.transaction, start)
            resident = Resident(new_run(start, definition, digest, work.now), group.fault)
            decision = self._safely(resident, [start], work.now, lambda: work.begin(resident.run, start))
            work.expect_room(decision)
        except Permanent as error:
            work.batch.refuse_start(group, error, self._partitions, work.now)
            return None
        self.counts.starts += 1
        return Decided(group, resident, decision, save_of(work.transaction, resident, decision, work.now, new=True), ())

    def _start_again(self, resident: Resident, batch: Batch, group: Group) -> Sequence[Command]:
        """Answer a start whose run exists: the same start again, or another one that wants the same id."""
        start = group.start
        if start is None:
            return ()
        known = recall(resident.run.workflow.unconfirmed, start.event_id)
        if known is not None:
            self.counts.recalled += 1
            if start.parent_task_id is None:
                return known
        if start.parent_task_id is not None and not has_asked(resident.run.workflow, start.parent_task_id):
            return known or ()
        # A parent that asks again may have missed what happened since: also the end, which another event commanded.
        answer = batch.answer_repeated_start(start, resident.run.workflow)
        return (*(known or ()), *(command for command in answer if command not in (known or ())))

    def _was_seen_to(self, resident: Resident, event: Event) -> bool:
        """True when what an event commanded has been sent by this very process, and nobody waits for an answer.

        Two runs that have each applied the other's news would else repeat them to each other for ever. A task that
        asks again has not heard: a broker may have lost the answer together with its disk.
        """
        answered = isinstance(event, Request) and (event.reply_to is not None or passing.wants_answer(event))
        workflow = resident.run.workflow
        found = [note for note in notes(workflow.unconfirmed) if note[0] == event.event_id]
        return not answered and bool(found) and all((workflow.id, note) in self._seen_to for note in found)

    def _answered_before(self, work: Round, group: Group, event: Event) -> tuple[Command, ...] | None:
        """Return the answer to a request that was carried out before, if the audit trail has it.

        Only one that was delivered before can have been, one that says so, or one by a relative of the run: that is
        published again when the event is recalled that led to it, and its entry may have left the row meanwhile. So
        can one that was in hand while this process stood still and lost its line: another decider was given it then,
        so that this one has to read the rows anew.
        """
        if not isinstance(event, Request):
            return None
        repeated = event.may_repeat or event.event_id in group.redelivered or work.is_read(group)
        if event.reply_to and not repeated:
            return None
        for line in work.transaction.requests(group.workflow_id):
            if line.request.event_id == event.event_id:
                return Batch.reply_again(event, line.outcome)
        return None

    def _unknown(self, work: Round, group: Group) -> None:
        """Drop facts about a run that does not exist; whoever asked is told, also that the run was removed for it."""
        self.counts.unknown += len(group.events)
        for event in group.events:
            known = self._answered_before(work, group, event)
            if known is not None:
                work.batch.answer_again(known, self._partitions)
            elif isinstance(event, Request):
                work.batch.answer_for_missing(event, self._partitions)
        work.batch.done_with(group)

    def _note_queues(self, transaction: Transaction, decided: Sequence[Decided]) -> set[str]:
        """Write down where tasks go to, for whoever watches the queues; remembered once it is committed."""
        seen = {
            task.queue for each in decided for task in (*each.decision.inserted, *each.decision.updated) if task.queue
        }
        if not seen <= self._known_queues:
            transaction.note_queues(seen)
        return seen

    def _log_requests(self, transaction: Transaction, stood: Sequence[Decided], now: Instant) -> None:
        lines = [
            LoggedRequest(as_logged(event), outcome, now)
            for each in stood
            for event in each.group.events
            if isinstance(event, Request) and is_logged(event.verb)
            if (outcome := each.decision.outcomes.get(event.event_id)) is not None
        ]
        if lines:
            transaction.log_requests(lines)

    # after the commit

    def _fold(self, each: Decided) -> None:
        """Make the stored decision the run in memory."""
        if each.save is None:
            return
        each.decision.draft.fold(each.save.workflow)
        each.resident.run = each.decision.draft.base
        self._residents.keep(each.resident, each.group.size)

    def _outgoing(self, batch: Batch, finished: Sequence[Decided], follow_up: Batch) -> Iterator[Message]:
        yield from batch.outgoing
        for each in finished:
            yield from self._messages(each, follow_up)
        stored = [Stored(each.resident.run.workflow, each.commands, each.save) for each in finished]
        yield from tidings(stored, self._clock.now(), self._settings.timekeeper_idle_seconds)

    def _messages(self, each: Decided, follow_up: Batch) -> Iterator[Message]:
        """Yield what is to be published for a decision; a run whose commands cannot be written is ended next."""
        run = each.resident.run
        sinks = self._outlook.sinks
        for command in each.commands:
            try:
                yield from list(messages(run, command, self._partitions, self._secrets, sinks, self._runtime))
            except Exception as error:
                log.exception("command.unwritable", workflow_id=run.workflow.id, command=str(command))
                if run.workflow.status.is_open:
                    follow_up.give_up(run.workflow.id, error)

    def _publish(self, outgoing: Iterator[Message], follow_up: Batch) -> None:
        """Publish all and wait for the confirms; note what follows from messages that can never be sent."""
        while portion := list(islice(outgoing, _MOST_MESSAGES)):
            try:
                self._broker.publish(portion)
            except Unsendable as error:
                follow_up.add_unsendable(error.faults)

    def _note_confirmed(self, finished: Sequence[Decided]) -> None:
        """Remember that these events need no note any more; runs that have ended leave the memory."""
        for each in finished:
            run = each.resident.run
            told = each.group.event_ids()
            sent = (note for note in notes(run.workflow.unconfirmed) if note[0] in told)
            self._seen_to.update(((run.workflow.id, note), None) for note in sent)
            if run.workflow.status.is_terminal:
                self._residents.drop(run.workflow.id)
            else:
                noted = {note[0] for note in run.workflow.unconfirmed}
                each.resident.confirmed = (each.resident.confirmed | each.group.event_ids()) & noted
        for oldest in list(islice(self._seen_to, max(0, len(self._seen_to) - _MOST_SEEN_TO))):
            del self._seen_to[oldest]
