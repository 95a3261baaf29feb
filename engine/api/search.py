"""What a search asks for, as its address says it, and what its answer has to admit."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Query
from msgspec import Struct
from starlette.responses import Response

from engine.api.body import answer
from engine.api.warned import warned
from engine.clock import iso
from engine.errors import BadMessage
from engine.model.payload import Json
from engine.search.condition import Condition, HasTask, every
from engine.search.free_text import read_free_text
from engine.search.grammar import read_query
from engine.search.order import read_order
from engine.search.subject import RUNS, TASKS, Subject, apart
from engine.store import search_port
from engine.store.search_port import Found

#: Conductor's limit of one page.
PAGE_LIMIT: Final = 5000

#: Nobody turns so many pages; the end of such a page must still be a number that every database knows.
_FURTHEST_START: Final = 1_000_000_000


class Asked(Struct, frozen=True):
    """The parameters that every search has."""

    query: str = ""
    free_text: str = "*"
    sort: str = ""
    start: int = 0
    size: int = 100

    def read(self, subject: Subject, *further: Condition) -> search_port.Query:
        """Return what is asked for; raise ``BadMessage`` for anything beyond the grammar, never a wrong answer."""
        return self._page(every((self._condition(subject), *further)), subject)

    def read_by_tasks(self) -> search_port.Query:
        """Return what is asked for where the query is about tasks, and the runs that have one are wanted."""
        of_runs, of_tasks = apart(self._condition(TASKS))
        return self._page(every((of_runs, HasTask(of_tasks))), RUNS)

    def _condition(self, subject: Subject) -> Condition:
        return every((read_query(self.query, subject), read_free_text(self.free_text, subject)))

    def _page(self, condition: Condition, sorted_as: Subject) -> search_port.Query:
        check_page(self.start, self.size)
        order = read_order(self.sort, sorted_as)
        return search_port.Query(condition=condition, order=order, start=self.start, size=self.size)


def _asked(
    query: str = "",
    free_text: Annotated[str, Query(alias="freeText")] = "*",
    sort: str = "",
    start: int = 0,
    size: int = 100,
) -> Asked:
    return Asked(query, free_text, sort, start, size)


#: The parameters of a search, for the signature of a route.
Search = Annotated[Asked, Depends(_asked)]


def check_page(start: int, size: int) -> None:
    """Raise ``BadMessage`` for a page that nobody can be given."""
    if not 1 <= size <= PAGE_LIMIT:
        raise BadMessage(f"size must be from 1 to {PAGE_LIMIT}, not {size}.")
    if not 0 <= start <= _FURTHEST_START:
        raise BadMessage(f"start must be from 0 to {_FURTHEST_START:,}, not {start}.")


def found_answer(found: Found, results: Json) -> Response:
    """Return Conductor's SearchResult; a header tells where more may match than is counted, or was looked at."""
    response = answer({"totalHits": found.total, "results": results})
    if found.back_to is not None:
        told = f"Only what began at {iso(found.back_to)} or later was searched: narrow the query, or the time"
    elif found.at_least:
        told = f"totalHits is not exact: there are at least {found.total}"
    else:
        return response
    return warned(response, [{"path": "totalHits", "message": told}])
