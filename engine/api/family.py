"""A run and the runs that it waits for, as far as whoever waits has to know: has it ended, who holds it up?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from msgspec import Struct

from engine.model.execution import NEVER, Task
from engine.model.status import TaskStatus
from engine.store.port import Rows, Store
from engine.tasks import task_type
from engine.wire.news import Changed

#: Runs of one family that are looked at; what the rest of a larger one does, shows in its parents.
_MOST_RUNS = 1_000


class Place(NamedTuple):
    """A task by its run and its seq."""

    workflow_id: str
    seq: int


class _Sight(Struct, frozen=True):
    """What is to be known of one run."""

    version: int
    ended: bool
    #: In the order of scheduling: the seq of an open task, and the run that it waits for, or None where somebody has
    #: to end it.
    waits: tuple[tuple[int, str | None], ...]
    #: The first open task that is no container, and the run that it waits for; seq 0 when there is none.
    open: tuple[int, str | None]
    #: The first of the awaited tasks that has ended.
    reached: int


class Family:
    """What was last read of a run and of the open runs below it; only ``look`` reads.

    ``refs`` are the tasks of the run itself whose end is waited for, by their reference names.
    """

    def __init__(self, store: Store, workflow_id: str, refs: Collection[str] = ()) -> None:
        self._store = store
        self._refs = frozenset(refs)
        self.workflow_id = workflow_id
        self._sights: dict[str, _Sight | None] = {}

    def look(self, stale: Collection[str]) -> set[str]:
        """Read these runs; return those of the family that have not been read yet."""
        with self._store.transaction() as tx:
            found = tx.load(list(stale), payloads=False)
        for each in stale:
            self._sights[each] = self._seen(found[each]) if each in found else None
        family = set(self._reachable(self.workflow_id, _MOST_RUNS))
        self._sights = {each: sight for each, sight in self._sights.items() if each in family}
        return family - self._sights.keys()

    def is_new(self, changed: Changed) -> bool:
        """True when a run of the family is not what was read any more."""
        sight = self._sights.get(changed.workflow_id)
        known = changed.workflow_id in self._sights
        return known and (sight is None or changed.version > sight.version)

    @property
    def runs(self) -> Collection[str]:
        """The runs that were read."""
        return self._sights.keys()

    @property
    def is_settled(self) -> bool:
        """True when there is nothing to wait for: it has ended, or come so far, or somebody has to do something."""
        sight = self._sights.get(self.workflow_id)
        return sight is None or sight.ended or bool(sight.reached) or self.blocking is not None

    @property
    def blocking(self) -> Place | None:
        """The first open task that somebody has to end, in the run or below it, as a signal would find it."""
        return self._blocking(self.workflow_id, set())

    @property
    def standing(self) -> Place | None:
        """The task to show where one is wanted: what holds the run up, or was waited for, or else is open."""
        sight = self._sights.get(self.workflow_id)
        if sight is not None and sight.reached:
            return Place(self.workflow_id, sight.reached)
        return self.blocking or self._open(self.workflow_id, set())

    def _open(self, workflow_id: str, passed: set[str]) -> Place | None:
        passed.add(workflow_id)
        sight = self._sights.get(workflow_id)
        seq, child = (0, None) if sight is None else sight.open
        below = None if child is None or child in passed else self._open(child, passed)
        return below or (Place(workflow_id, seq) if seq else None)

    def _blocking(self, workflow_id: str, passed: set[str]) -> Place | None:
        # Runs may come to wait for each other, where a child is found by an idempotency key.
        passed.add(workflow_id)
        sight = self._sights.get(workflow_id)
        for seq, child in () if sight is None else sight.waits:
            if child is None:
                return Place(workflow_id, seq)
            found = None if child in passed else self._blocking(child, passed)
            if found is not None:
                return found
        return None

    def _reachable(self, workflow_id: str, most: int) -> Iterator[str]:
        """Yield a run and the open ones below it, nearest first."""
        line = {workflow_id: None}
        ahead = [workflow_id]
        for each in ahead:
            yield each
            sight = self._sights.get(each)
            children = [child for _, child in sight.waits if child] if sight is not None else []
            new = [child for child in dict.fromkeys(children) if child not in line][: most - len(line)]
            line |= dict.fromkeys(new)
            ahead += new

    def _seen(self, rows: Rows) -> _Sight:
        open_tasks = [task for task in rows.tasks if task.status.is_open]
        awaited = (task for task in rows.tasks if task.status.is_terminal and not task.retried)
        return _Sight(
            version=rows.workflow.version_no,
            ended=rows.workflow.status.is_terminal,
            waits=tuple(wait for task in open_tasks if (wait := _wait(task)) is not None),
            open=next((_step(task) for task in open_tasks if not task_type(task.type).reopens), (0, None)),
            reached=next((task.seq for task in awaited if self._refs & _names(task)), 0),
        )


def _wait(task: Task) -> tuple[int, str | None] | None:
    """Return what an open task waits for, None where it goes on by itself: a worker has it, or its date comes."""
    if task_type(task.type).takes_signal:
        stands = task.status is TaskStatus.IN_PROGRESS and task.due_at == NEVER
        return (task.seq, None) if stands else None
    return _step(task) if _step(task)[1] is not None else None


def _step(task: Task) -> tuple[int, str | None]:
    """Return a task's seq and the run whose end it waits for."""
    return task.seq, task.child_id if task_type(task.type).awaits_child else None


def _names(task: Task) -> set[str]:
    """Return the names by which a task can be waited for: in a loop, also that of the definition."""
    return {task.ref, task.ref.removesuffix(f"__{task.iteration}")}
