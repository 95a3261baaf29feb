"""What decisions have to know beside the runs themselves: definitions, limits, and the values of the environment."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from engine.broker.port import Broker
from engine.clock import SECOND, Instant
from engine.config import Settings
from engine.decider.draft import Surroundings
from engine.decider.execution import restore
from engine.decider.place import described
from engine.decider.shown import shown
from engine.errors import NotFound, Refused
from engine.model.definition import WorkflowDef
from engine.model.event import StartWorkflow
from engine.model.payload import Json
from engine.model.question import DefinitionOf, Found, IsServed, KeptResult, Question, RunOf, WayTo
from engine.model.status import TaskStatus
from engine.named_values import environment_values
from engine.store.catalog import Catalog
from engine.store.family import way_to
from engine.store.port import Transaction
from engine.tasks.limits import Limits

#: For how long the registered task definitions are taken as they are when nothing is being started.
_CATALOG_KEPT = 1 * SECOND

#: For how long a queue counts as served, or not, once its consumers were counted.
_SERVED_KEPT = 1 * SECOND

#: For how long whoever has polled for tasks counts as there (Conductor's ``activeWorkerLastPollTimeout``).
_POLL_COUNTS = 10 * SECOND

#: Queues of which that is remembered: their names come from starts, and anybody may invent one.
_MOST_SERVED = 10_000


class Outlook:
    """Looks around in each transaction, as far as it is necessary; what is dear to look up is kept for a while."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        self._settings = settings
        self._broker = broker
        #: Whether queues have consumers, each with the moment until which that holds.
        self._served: dict[str, tuple[bool, Instant]] = {}
        self._environment = environment_values()
        #: Where notices go of runs whose definition names no sink, and the statuses of tasks that are told.
        self.sinks = tuple(settings.notice_sinks.split())
        self.told_statuses = frozenset(map(TaskStatus, settings.notice_task_statuses.replace(",", " ").split()))
        self.catalog = Catalog()
        self._fresh_until = Instant(0)
        self._limits = Limits(
            # What is only a little too large is refused where it is sent, and fails the task; this ends the run.
            value_characters=2 * settings.payload_limit_bytes,
            script_seconds=settings.script_time_limit_ms / 1_000,
            script_bytes=settings.script_memory_limit_bytes,
            messages=settings.waiting_messages,
            messages_bytes=settings.waiting_messages_bytes,
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
            forget_after_tasks=self._settings.forget_after_tasks,
            unheard_timeout_seconds=self._settings.unheard_timeout_seconds,
            redelivery_limit=self._settings.redelivery_limit,
            isolated_queues=self._settings.isolated_queues,
            environment=self._environment,
            told_statuses=self.told_statuses,
        )

    def definition(self, transaction: Transaction, start: StartWorkflow) -> tuple[str, WorkflowDef]:
        """Return the definition that a start asks for, with its hash; raise ``Permanent`` when there will be no run."""
        if start.depth > self._settings.max_depth:
            raise Refused(
                f"Workflow {start.name} would be nested {start.depth} levels deep; the limit is "
                f"{self._settings.max_depth} (BATON_MAX_DEPTH). Does it start itself?"
            )
        if start.workflow_def is not None:
            return self.catalog.inline(transaction, start.workflow_def, by_step=start.depth > 0)
        return self.catalog.resolve(transaction, start.name, start.version)

    def answers(self, transaction: Transaction, questions: Collection[Question], now: Instant) -> dict[Question, Json]:
        """Return what decisions of this moment have asked for."""
        kept = {each.digest: each for each in questions if isinstance(each, KeptResult)}
        outputs = transaction.kept_results(list(kept), now) if kept else {}
        return {
            question: outputs.get(question.digest)
            if isinstance(question, KeptResult)
            else self._answer(transaction, question, now)
            for question in questions
        }

    def _answer(
        self, transaction: Transaction, question: IsServed | DefinitionOf | WayTo | RunOf, now: Instant
    ) -> Json:
        match question:
            case IsServed():
                return self._is_served(transaction, question.queue, now)
            case DefinitionOf():
                self.catalog.refresh(transaction)
                try:
                    return Found(*self.catalog.resolve(transaction, question.name, question.version))
                except NotFound as error:
                    return str(error)
            case RunOf():
                return self._run(transaction, question)
            case WayTo():
                return way_to(transaction, question.workflow_id, question.task_id)
            case _:
                assert_never(question)

    def _run(self, transaction: Transaction, question: RunOf) -> Json:
        rows = transaction.load([question.workflow_id]).get(question.workflow_id)
        if rows is None:
            return f"No such workflow found by id: {question.workflow_id}"
        found = transaction.snapshots({rows.workflow.definition_hash})
        definition = found.get(rows.workflow.definition_hash) or WorkflowDef(name=rows.workflow.name)
        run = restore(rows.workflow, rows.tasks if question.with_tasks else (), definition)
        return shown(
            rows.workflow,
            rows.tasks,
            definition,
            lambda task: described(run.plans[task.seq], task),
            with_tasks=question.with_tasks,
        )

    def _is_served(self, transaction: Transaction, queue: str, now: Instant) -> bool:
        """Return whether somebody consumes from a queue, as far as the broker can tell, or has polled for it lately."""
        known = self._served.get(queue)
        if known is None or now >= known[1]:
            if len(self._served) >= _MOST_SERVED:
                self._served.clear()
            served = bool(self._broker.consumers(queue)) or is_polled(transaction, queue, now)
            self._served[queue] = known = served, Instant(now + _SERVED_KEPT)
        return known[0]


def is_polled(transaction: Transaction, queue: str, now: Instant) -> bool:
    """Return whether somebody has polled for this queue lately."""
    domain, _, task_type = queue.rpartition(":")
    polls = transaction.last_polls(task_type)
    return any(each.domain == domain and each.at + _POLL_COUNTS > now for each in polls)
