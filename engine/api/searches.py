"""Searches as they are carried out, for every door: what was found, and how Conductor shows it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from engine.api import shown
from engine.api.classifiers import Classifiers
from engine.api.search import Asked
from engine.model.payload import Json
from engine.search.condition import Present, opposite
from engine.search.subject import RUN_PARENT, RUNS, TASKS
from engine.store.port import Store, Transaction
from engine.store.search_port import Found, FoundRuns

#: What was found, and the same as it is shown.
Shown = tuple[Found, list[Json]]


class Further(Struct, frozen=True):
    """What a search for runs may want beside its query."""

    top_level: bool = False
    classifier: str | None = None


class Searches:
    """Every search there is; all of them block."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._classifiers = Classifiers()

    def summaries(self, asked: Asked, further: Further = Further()) -> Shown:  # noqa: B008  it is frozen
        """Find runs, as summaries."""
        return self._runs(asked, further, shown.summaries)

    def runs(self, asked: Asked, further: Further = Further()) -> Shown:  # noqa: B008  it is frozen
        """Find runs, each shown whole but for its tasks."""
        return self._runs(asked, further, shown.runs)

    def summaries_by_tasks(self, asked: Asked) -> Shown:
        """Find runs by their tasks, as summaries."""
        return self._by_tasks(asked, shown.summaries)

    def runs_by_tasks(self, asked: Asked) -> Shown:
        """Find runs by their tasks, each shown whole but for its tasks."""
        return self._by_tasks(asked, shown.runs)

    def task_summaries(self, asked: Asked) -> Shown:
        """Find tasks, as summaries."""
        with self._store.transaction() as tx:
            found = tx.search_tasks(asked.read(TASKS))
            return found, shown.task_summaries(tx, found)

    def tasks(self, asked: Asked) -> Shown:
        """Find tasks, each shown whole."""
        with self._store.transaction() as tx:
            found = tx.search_tasks(asked.read(TASKS))
            return found, shown.tasks(tx, found)

    def _runs(self, asked: Asked, further: Further, show: Callable[[Transaction, FoundRuns], list[Json]]) -> Shown:
        top_level = (opposite(Present(RUN_PARENT)),) if further.top_level else ()
        query = asked.read(RUNS, self._classifiers.of(further.classifier), *top_level)
        with self._store.transaction() as tx:
            found = tx.search_runs(replace(query, condition=self._classifiers.as_names(tx, query.condition)))
            return found, show(tx, found)

    def _by_tasks(self, asked: Asked, show: Callable[[Transaction, FoundRuns], list[Json]]) -> Shown:
        with self._store.transaction() as tx:
            found = tx.search_runs(asked.read_by_tasks())
            return found, show(tx, found)
