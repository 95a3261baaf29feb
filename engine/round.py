"""A round: one transaction of the road, and the runs that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from engine.batch import Batch, Group
from engine.clock import Instant
from engine.decider.admission import must_not_wait
from engine.decider.decide import Decision, begin, decide
from engine.decider.draft import Surroundings
from engine.decider.execution import Execution, restore, salvage
from engine.decider.residents import Resident, Residents
from engine.errors import PayloadLost, Refused
from engine.model.definition import WorkflowDef
from engine.model.event import Event, StartWorkflow
from engine.model.execution import Workflow
from engine.model.limit import limit_of_runs, terms_of_runs
from engine.outlook import Outlook
from engine.slots import registered_terms
from engine.store.port import Rows, Transaction

#: How often one decision may come to ask for something more; after that it goes by what is known.
_MOST_INQUIRIES = 20


class Round:
    """Holds the runs of one transaction, whatever the decider's memory has to let go meanwhile."""

    def __init__(
        self, transaction: Transaction, batch: Batch, now: Instant, residents: Residents, outlook: Outlook
    ) -> None:
        self.transaction = transaction
        self.batch = batch
        self.now = now
        self.surroundings = Surroundings()
        self._residents = residents
        self._outlook = outlook
        self._runs: dict[str, Resident] = {}
        #: How many slots of each limit are for runs that this very transaction starts.
        self._claimed: Counter[str] = Counter()
        #: Ids of runs whose rows were looked for in this very transaction.
        self._read: set[str] = set()

    def load(self, groups: Sequence[Group]) -> None:
        """Bring the runs of these groups to hand; what is not stored stays unknown."""
        missing = []
        for group in groups:
            if group.deadly and (group.start is None or group.start_exists):
                self._read_bare(group.workflow_id)
                continue
            resident = self._residents.get(group.workflow_id)
            if resident is not None:
                self._runs[group.workflow_id] = resident
            elif group.start is None or group.start_exists:
                missing.append(group.workflow_id)
        if not missing:
            return
        self._read.update(missing)
        found = self.transaction.load(missing)
        self._outlook.catalog.snapshots(self.transaction, {rows.workflow.definition_hash for rows in found.values()})
        for workflow_id, rows in found.items():
            self._runs[workflow_id] = self._restored(rows)
            self._residents.keep(self._runs[workflow_id])

    def _read_bare(self, workflow_id: str) -> None:
        """Read a run that may kill whoever loads it: no payloads, no steps, enough to be ended and told of."""
        self._residents.drop(workflow_id)
        self._read.add(workflow_id)
        for rows in self.transaction.load([workflow_id], payloads=False).values():
            definition = self._without_steps(rows.workflow)
            self._runs[workflow_id] = Resident(salvage(rows.workflow, rows.tasks, definition))

    def _without_steps(self, workflow: Workflow) -> WorkflowDef:
        """Return what a run's definition says to listeners."""
        bare = WorkflowDef(name=workflow.name)
        whole = self.transaction.snapshots({workflow.definition_hash}).get(workflow.definition_hash, bare)
        update = {
            "workflow_status_listener_enabled": whole.workflow_status_listener_enabled,
            "workflow_status_listener_sink": whole.workflow_status_listener_sink,
            "masked_fields": whole.masked_fields,
        }
        return bare.model_copy(update=update)

    def begin(self, run: Execution, start: StartWorkflow) -> Decision:
        """Return the decision that starts a run."""
        return self._with_answers(lambda around: begin(run, start, self.now, around))

    def decide(self, run: Execution, events: Sequence[Event]) -> Decision:
        """Return the decision that carries a run on."""
        return self._with_answers(lambda around: decide(run, events, self.now, around))

    def expect_room(self, decision: Decision) -> None:
        """Raise ``Refused`` for a new run that must not wait, where the slots of its key are taken.

        It is no promise: others may take them before this transaction does (``slots.Overtaken``).
        """
        if not must_not_wait(decision.draft):
            return
        workflow = decision.workflow
        key = workflow.rate_limit_key or ""
        limit, registered = limit_of_runs(workflow.name, key), registered_terms(self.transaction, workflow.name)
        at_once = (registered or terms_of_runs(decision.draft.definition)).at_once or 0
        if self.transaction.slots_taken(limit) + self._claimed[limit] >= at_once:
            raise Refused(
                f"Workflow {workflow.name} is limited to {at_once} runs at a time for {key!r} (rateLimitConfig), and "
                "so many go on or wait: start it again when one of them has ended"
            )
        self._claimed[limit] += 1

    def _with_answers(self, decision: Callable[[Surroundings], Decision]) -> Decision:
        """Have a decision made, and made anew as long as it comes to ask for more."""
        around = self.surroundings
        for _ in range(_MOST_INQUIRIES):
            made = decision(around)
            if not made.draft.questions:
                return made
            found = self._outlook.answers(self.transaction, made.draft.questions, self.now)
            around = msgspec.structs.replace(around, answers={**around.answers, **found})
            spent = made.draft.asked_after
        # It comes so far as it needs to ask nothing more; the rest is another decision.
        return decision(msgspec.structs.replace(around, step_budget=max(1, spent - 1)))

    def run_of(self, group: Group) -> Resident | None:
        """Return the run that a group is about, None when there is none."""
        return self._runs.get(group.workflow_id)

    def is_read(self, group: Group) -> bool:
        """Return whether the run is what its rows say now, and not what this decider remembers."""
        return group.workflow_id in self._read

    def read_anew(self, group: Group) -> None:
        """Put what the rows say now in the place of what this decider remembers."""
        self._residents.drop(group.workflow_id)
        self._runs.pop(group.workflow_id, None)
        self._read.add(group.workflow_id)
        self.load([group])

    def _restored(self, rows: Rows) -> Resident:
        if rows.unreadable is not None:
            fault = PayloadLost(rows.unreadable)
            return Resident(salvage(rows.workflow, rows.tasks, WorkflowDef(name=rows.workflow.name)), fault)
        known = self._outlook.catalog.by_hash.get(rows.workflow.definition_hash)
        definition = known or WorkflowDef(name=rows.workflow.name)
        try:
            return Resident(restore(rows.workflow, rows.tasks, definition), None, rows.payload_bytes)
        except Exception as error:
            return Resident(salvage(rows.workflow, rows.tasks, definition), error, rows.payload_bytes)
