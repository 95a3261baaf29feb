"""An index of words on Postgres, which finds rare ones among millions of runs; made by hand, used where it is there.

Every save that begins or ends a run writes it too, so nobody has it who has not asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, and_, literal_column, or_, text

from engine.search.condition import Condition, Contains, Pattern
from engine.search.pattern import in_json
from engine.search.subject import RUNS
from engine.store.search_plan import Plan
from engine.store.search_sql import contains_sql

#: Everything that free text is looked for in, as one text. Written out: an index is used only for its very expression.
_DOCUMENT: Final = "(" + " || ' ' || ".join(
    (
        *("id", "name", "status"),
        *(f"coalesce({column}, '')" for column in ("correlation_id", "reason", "event")),
        *(f"coalesce({column}::text, '')" for column in ("failed_refs", "input", "output")),
    )
) + ")"  # fmt: skip

#: What makes the index; the guide tells it to whoever wants one.
STATEMENTS: Final = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX CONCURRENTLY workflow_words ON workflow USING gin ({_DOCUMENT} gin_trgm_ops)",
    "ANALYZE workflow",
)

#: Valid: one that was broken off while it was made is there too.
_IS_THERE: Final = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('workflow_words')")

#: The index knows three characters at a time; anything shorter is everywhere.
_SHORTEST: Final = 3

_document: Final[ColumnElement[Any]] = literal_column(_DOCUMENT, Text())


def words_condition(connection: Connection, plan: Plan) -> ColumnElement[bool] | None:
    """Return what the index can tell of a search, None when that is nothing, or when there is no such index.

    It holds of every run that is wanted, and of a few others.
    """
    if connection.dialect.name != "postgresql":
        return None
    conditions = list(_conditions(plan.rest))
    return and_(*conditions) if conditions and connection.scalar(_IS_THERE) else None


def _conditions(parts: tuple[Condition, ...]) -> Iterator[ColumnElement[bool]]:
    for part in parts:
        if isinstance(part, Contains) and set(part.fields) <= set(RUNS.words_in) and _long_enough(part.pattern):
            # What stands in JSON is written differently there.
            forms = dict.fromkeys((part.pattern, in_json(part.pattern)))
            yield or_(*(contains_sql(_document, form) for form in forms))


def _long_enough(pattern: Pattern) -> bool:
    return any(isinstance(piece, str) and len(piece) >= _SHORTEST for piece in pattern)
