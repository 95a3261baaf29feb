"""Finds runs by name and correlation id, without a query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from engine.api import runs, shown
from engine.clock import MILLISECOND
from engine.errors import BadMessage
from engine.model.payload import Json
from engine.model.status import OPEN_WORKFLOW
from engine.search.condition import Condition, Matches, Within, every, wanted
from engine.search.subject import RUN_BEGAN, RUN_CORRELATION, RUN_NAME, RUN_STATUS
from engine.store import search_port
from engine.store.port import Store

#: The latest time, in milliseconds, that anybody may ask for: later ones have more digits than a double.
LATEST_MS: Final = 2**53

#: Correlation ids, and workflow names, of one call.
_MOST_NAMES = 1_000

#: Runs of one correlation id that are shown: the newest.
_MOST_RUNS = 1_000

#: Ids that are listed: the newest.
_MOST_IDS = 100_000


def running_ids(store: Store, name: str, since_ms: int | None = None, until_ms: int | None = None) -> Sequence[str]:
    """Return the ids of the open runs of a workflow; with two times those of all runs that began between them."""
    condition: Condition = Matches(RUN_NAME, (name,))
    if since_ms is None or until_ms is None:
        condition = every((condition, wanted(RUN_STATUS, sorted(OPEN_WORKFLOW))))
    else:
        condition = every((condition, Within(RUN_BEGAN, since_ms * MILLISECOND, (until_ms + 1) * MILLISECOND)))
    with store.transaction() as tx:
        return tx.run_ids(condition, _MOST_IDS)


def correlated_runs(store: Store, names: Iterable[str], correlation_id: str, closed: bool, tasks: bool) -> list[Json]:
    """Return the runs of workflows that have a correlation id, newest first."""
    of_id = [Matches(RUN_CORRELATION, (correlation_id,))]
    if not closed:
        of_id.append(wanted(RUN_STATUS, sorted(OPEN_WORKFLOW)))
    found: list[Json] = []
    for name in names:
        query = search_port.Query(condition=every((Matches(RUN_NAME, (name,)), *of_id)), size=_MOST_RUNS)
        with store.transaction() as tx:
            page = tx.search_runs(query)
            whole = [] if tasks else shown.runs(tx, page)
        found += [runs.run_json(store, each, include_tasks=True) for each in page.runs] if tasks else whole
    return found


def texts(value: Json, subject: str) -> list[str]:
    """Return a list of texts, each once; raise ``BadMessage`` for anything else."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadMessage(f'{subject} must be a list of texts: ["…", "…"].')
    if len(value) > _MOST_NAMES:
        raise BadMessage(f"{subject} has {len(value):,} entries: send at most {_MOST_NAMES:,}.")
    return list(dict.fromkeys(value))
