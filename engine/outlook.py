"""What decisions have to know beside the runs themselves: definitions, limits, and the values of the environment."""

from __future__ import annotations

from engine.clock import SECOND, Instant
from engine.config import Settings
from engine.decider.draft import Surroundings
from engine.errors import Refused
from engine.model.definition import WorkflowDef
from engine.model.event import StartWorkflow
from engine.named_values import environment_values
from engine.store.catalog import Catalog
from engine.store.port import Transaction
from engine.tasks.step import Limits

#: For how long the registered task definitions are taken as they are when nothing is being started.
_CATALOG_KEPT = 1 * SECOND


class Outlook:
    """Looks around in each transaction, as far as it is necessary; what is dear to look up is kept for a while."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = environment_values()
        self.catalog = Catalog()
        self._fresh_until = Instant(0)
        self._limits = Limits(
            # What is only a little too large is refused where it is sent, and fails the task; this ends the run.
            value_characters=2 * settings.payload_limit_bytes,
            script_seconds=settings.script_time_limit_ms / 1_000,
            script_bytes=settings.script_memory_limit_bytes,
        )

    def forget(self) -> None:
        """Look everything up again: what was found in a transaction that was rolled back may not be there."""
        self.catalog, self._fresh_until = Catalog(), Instant(0)

    def surroundings(self, transaction: Transaction, now: Instant, *, starting: bool, waking: bool) -> Surroundings:
        """Return what decisions of this moment go by; ``starting`` and ``waking`` say what is among the news."""
        if starting or now >= self._fresh_until:
            self.catalog.refresh(transaction)
            self._fresh_until = Instant(now + _CATALOG_KEPT)
        return Surroundings(
            task_defs=self.catalog.task_defs,
            queues_seen_empty=transaction.queues_seen_empty() if waking else {},
            limits=self._limits,
            step_budget=self._settings.step_budget,
            unheard_timeout_seconds=self._settings.unheard_timeout_seconds,
            redelivery_limit=self._settings.redelivery_limit,
            environment=self._environment,
        )

    def definition(self, transaction: Transaction, start: StartWorkflow) -> tuple[str, WorkflowDef]:
        """Return the definition that a start asks for, with its hash; raise ``Permanent`` when there will be no run."""
        if start.depth > self._settings.max_depth:
            raise Refused(
                f"Workflow {start.name} would be nested {start.depth} levels deep; the limit is "
                f"{self._settings.max_depth} (BATON_MAX_DEPTH). Does it start itself?"
            )
        if start.workflow_def is not None:
            return self.catalog.inline(transaction, start.workflow_def)
        return self.catalog.resolve(transaction, start.name, start.version)
