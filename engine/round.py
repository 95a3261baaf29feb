"""A round: one transaction of the road, and the runs that it is about."""

from __future__ import annotations

from collections.abc import Sequence

from engine.batch import Batch, Group
from engine.clock import Instant
from engine.decider.draft import Surroundings
from engine.decider.execution import restore, salvage
from engine.decider.residents import Resident, Residents
from engine.model.definition import WorkflowDef
from engine.store.catalog import Catalog
from engine.store.port import Rows, Transaction


class Round:
    """Holds the runs of one transaction, whatever the decider's memory has to let go meanwhile."""

    def __init__(
        self, transaction: Transaction, batch: Batch, now: Instant, residents: Residents, catalog: Catalog
    ) -> None:
        self.transaction = transaction
        self.batch = batch
        self.now = now
        self.surroundings = Surroundings()
        self._residents = residents
        self._catalog = catalog
        self._runs: dict[str, Resident] = {}
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
        self._catalog.snapshots(self.transaction, {rows.workflow.definition_hash for rows in found.values()})
        for workflow_id, rows in found.items():
            self._runs[workflow_id] = self._restored(rows)
            self._residents.keep(self._runs[workflow_id])

    def _read_bare(self, workflow_id: str) -> None:
        """Read a run that may kill whoever loads it: no payloads, no definition, just enough to be ended."""
        self._residents.drop(workflow_id)
        self._read.add(workflow_id)
        for rows in self.transaction.load([workflow_id], payloads=False).values():
            self._runs[workflow_id] = Resident(salvage(rows.workflow, rows.tasks, WorkflowDef(name=rows.workflow.name)))

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
        definition = self._catalog.by_hash.get(rows.workflow.definition_hash) or WorkflowDef(name=rows.workflow.name)
        try:
            return Resident(restore(rows.workflow, rows.tasks, definition), None, rows.payload_bytes)
        except Exception as error:
            return Resident(salvage(rows.workflow, rows.tasks, definition), error, rows.payload_bytes)
