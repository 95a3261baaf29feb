"""What a run was before an operator had it, or part of it, done over: kept to be read, and no part of the flow."""

from __future__ import annotations

from msgspec import Struct

from engine.clock import Instant
from engine.model.execution import Task, Workflow


class EarlierRound(Struct, frozen=True, kw_only=True):
    """A run's record as it was, and the tasks that were taken out of its flow at that moment.

    Tasks that the flow has kept are not repeated: they are those of the run, and of the rounds after this one, up to
    the record's ``last_seq``.
    """

    #: The run's ``version_no`` from then on: rounds count upwards, with gaps.
    number: int
    at: Instant
    workflow: Workflow
    #: In the order of ``seq``.
    tasks: tuple[Task, ...]
