"""Limits: how many tasks of a name, or runs of a key, may be out at a time; how many may start in a stretch of time."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from msgspec import Struct

from engine.clock import Instant, after
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.execution import NEVER

#: Slots of one limit that are granted at a time; for more it is looked at again at once. Bounds what a raise sets off.
MOST_GRANTS: Final = 500

#: A date that has come, whatever the time.
AT_ONCE: Final = Instant(1)


class Terms(Struct, frozen=True, kw_only=True):
    """What a limit allows; None allows any number."""

    #: Tasks that may be out at a time.
    at_once: int | None = None
    #: Starts within any ``seconds``: a sliding window.
    starts: int | None = None
    seconds: int = 1

    @property
    def is_limited(self) -> bool:
        """False when every task may go out at once."""
        return self.at_once is not None or self.starts is not None

    def room(self, held: int, started: int) -> int:
        """Return how many may go out now, ``MOST_GRANTS`` at the utmost.

        ``held`` are out already; ``started`` is the number of starts that lie within the window.
        """
        rooms = [MOST_GRANTS]
        if self.at_once is not None:
            rooms.append(self.at_once - held)
        if self.starts is not None:
            rooms.append(self.starts - started)
        return max(0, min(rooms))

    def next_look(self, now: Instant, *, granted: int, started: int, first: Instant) -> Instant:
        """Return when those who still wait have to be looked at though nobody ends.

        That is at once when no more than ``granted`` could be granted at a time, the moment when a start leaves the
        window when it is full (``first`` is the earliest of the ``started`` ones in it), and else never.
        """
        if granted == MOST_GRANTS:
            return AT_ONCE
        if self.starts is not None and started + granted >= self.starts:
            return after(first if started else now, self.seconds)
        return NEVER

    def window_opens(self, now: Instant) -> Instant:
        """Return the moment after which a start counts for the rate."""
        return after(now, -self.seconds)


def limits(definition: TaskDef) -> bool:
    """Return whether a task definition limits how many tasks go out; see ``terms_of``."""
    return (definition.concurrent_exec_limit or 0) > 0 or (definition.rate_limit_per_frequency or 0) > 0


def terms_of(definition: TaskDef) -> Terms:
    """Return what a task definition allows; missing numbers, 0 and less mean that there is no limit (Conductor 1.3)."""
    at_once, starts = definition.concurrent_exec_limit or 0, definition.rate_limit_per_frequency or 0
    seconds = definition.rate_limit_frequency_in_seconds
    return Terms(
        at_once=at_once if at_once > 0 else None,
        starts=starts if starts > 0 else None,
        seconds=seconds if seconds is not None and seconds > 0 else 1,
    )


def terms_of_runs(definition: WorkflowDef) -> Terms:
    """Return how many runs of one key a workflow allows at a time; 0 and less mean that there is no limit."""
    config = definition.rate_limit_config
    at_once = config.concurrent_exec_limit if config is not None else 0
    return Terms(at_once=at_once if at_once > 0 else None)


#: Stands between workflow and key in the name of a limit; no name of a task has it.
OF_RUNS: Final = "\n"

#: Characters of a limit's name, which databases keep in an index; longer ones are cut and told apart by a digest.
_LONGEST: Final = 400


def limit_of_runs(workflow: str, key: str) -> str:
    """Return the name of the limit under which the runs of a workflow with this key stand."""
    name = f"{workflow}{OF_RUNS}{key}"
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}#{sha256(name.encode()).hexdigest()}"


def limits_of(workflow: str) -> str:
    """Return how the names of all limits for runs of this workflow begin."""
    return f"{workflow}{OF_RUNS}"[:_LONGEST]


def is_of_runs(limit: str) -> bool:
    """True for the name of a limit for runs, which is made when somebody needs it, and not for a task's."""
    return OF_RUNS in limit


def key_aside(workflow_id: str, granted_at: Instant) -> str:
    """Return the key under which a start of a run goes on counting when another run has its id."""
    return sha256(f"{workflow_id}\n{granted_at}".encode()).hexdigest()
