"""Conductor's search grammar, as far as runs can be found by it: clauses over a few fields, joined by AND."""

from __future__ import annotations

import re
from collections.abc import Collection

from engine.errors import BadMessage
from engine.model.status import WorkflowStatus
from engine.store.port import WorkflowQuery

#: Conductor's limit of one page.
PAGE_LIMIT = 5000

#: Characters of a query.
_LONGEST_QUERY = 10_000

# Nothing in them can match one row of blanks in two ways, or a long row would be shared out in every way there is.
_CLAUSE = re.compile(r"(\w+)\s*(=|\bIN\b)(.+)", re.DOTALL)
_AND = re.compile(r"(?<=\s)AND(?=\s)")
_FIELDS = ("workflowType", "status", "correlationId", "parentWorkflowId")
_GRAMMAR = (
    "write clauses such as workflowType = order AND status IN (FAILED,TIMED_OUT); "
    f"the fields are {', '.join(_FIELDS)}, IN is for status only"
)


def read_query(query: str, free_text: str, start: int, size: int) -> WorkflowQuery:
    """Return what a search asks for; raise ``BadMessage`` for anything beyond the grammar, never a wrong answer."""
    check_page(start, size)
    clauses = read_clauses(query, free_text, _FIELDS, _GRAMMAR)
    statuses = clauses.get("status", ())
    return WorkflowQuery(
        name=_single(clauses, "workflowType"),
        statuses=tuple(_status(text) for text in statuses),
        correlation_id=_single(clauses, "correlationId"),
        parent_id=_single(clauses, "parentWorkflowId"),
        start=start,
        size=size,
    )


def check_page(start: int, size: int) -> None:
    """Raise ``BadMessage`` for a page that nobody can be given."""
    if not 1 <= size <= PAGE_LIMIT:
        raise BadMessage(f"size must be from 1 to {PAGE_LIMIT}, not {size}.")
    if start < 0:
        raise BadMessage(f"start must not be negative, not {start}.")


def read_clauses(query: str, free_text: str, fields: Collection[str], grammar: str) -> dict[str, tuple[str, ...]]:
    """Return the values that a query wants of each field; raise ``BadMessage``, with the grammar, for anything else."""
    if free_text not in ("", "*"):
        raise BadMessage(f"freeText {free_text!r} is not supported: use query; {grammar}.")
    if len(query) > _LONGEST_QUERY:
        raise BadMessage(f"The query has {len(query):,} characters, the limit is {_LONGEST_QUERY:,}.")
    return dict(_clause(text, fields, grammar) for text in _AND.split(query.strip())) if query.strip() else {}


def _clause(text: str, fields: Collection[str], grammar: str) -> tuple[str, tuple[str, ...]]:
    found = _CLAUSE.fullmatch(text.strip())
    if found is None or found[1] not in fields:
        raise BadMessage(f"The query's clause {text!r} is not understood: {grammar}.")
    field, operator, value = found.groups()
    if operator == "IN":
        return field, tuple(_bare(part) for part in value.strip("() ").split(","))
    return field, (_bare(value),)


def _bare(value: str) -> str:
    return value.strip().strip("'\"")


def _single(clauses: dict[str, tuple[str, ...]], field: str) -> str | None:
    values = clauses.get(field)
    if values is None:
        return None
    if len(values) != 1:
        raise BadMessage(f"{field} takes one value, not {len(values)}: {_GRAMMAR}.")
    return values[0]


def _status(text: str) -> WorkflowStatus:
    try:
        return WorkflowStatus(text)
    except ValueError:
        known = ", ".join(status.value for status in WorkflowStatus)
        raise BadMessage(f"There is no status {text!r}: use one of {known}.") from None
