"""Batches on Postgres: one statement, one array for each column, unfolded into rows by the server; more for many rows.

Measured for 200 tasks of 32 columns, against one prepared statement for each row in a pipeline: a third of the
client's time and two thirds of the server's. ``json_to_recordset`` would be as quick, but refuses NUL characters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from itertools import chain
from typing import Any, Final

from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Table,
    Text,
    any_,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql

from engine.model.execution import Task
from engine.store.batch import Changes
from engine.store.codec import storable
from engine.store.port import Save
from engine.store.records import TASK, WORKFLOW, Field, Record, Values
from engine.store.slices import SLICE, fetched, sliced

_FLAG: Final = {True: "t", False: "f"}


def _type(field: Field) -> str:
    if field.is_json:
        return "json"
    if field.is_flag:
        return "boolean"
    return "bigint" if field.is_number else "text"


def _array(field: Field, column: Values) -> str:
    """Return the column as the text of a Postgres array."""
    if field.is_number:
        return "{" + ",".join(map(str, column)) + "}"
    if field.is_flag:
        return "{" + ",".join([_FLAG[value] for value in column]) + "}"
    return _texts(column)


def _texts(column: Values) -> str:
    nulls = column.count(None)
    if nulls == len(column):
        return "{" + ",".join(["NULL"] * nulls) + "}"
    # No text that can be stored has a NUL; so it can stand between them while all are quoted at once.
    together = None if nulls else "\0".join(column)
    if together is not None and together.count("\0") == len(column) - 1:
        return '{"' + together.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","') + '"}'
    quoted = ["NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in column]
    return "{" + ",".join(quoted) + "}"


def _unfolded(fields: Sequence[Field], further: str = "") -> str:
    arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
    names = ", ".join(field.name for field in fields)
    return f"unnest({arrays}{', %s::bigint[]' if further else ''}) AS new ({names}{', ' + further if further else ''})"


def _insert(record: Record[Any]) -> str:
    names = ", ".join(record.names)
    return f"INSERT INTO {record.table.name} ({names}) SELECT {names} FROM {_unfolded(record.fields)}"  # noqa: S608


def _update(record: Record[Any], keys: Sequence[str], further: str = "") -> str:
    table = record.table.name
    settings = ", ".join(
        # Handing a large value on unread keeps it where it lies, outside the row.
        f"{each.name} = coalesce(new.{each.name}, {table}.{each.name})"
        if each.may_stay
        else f"{each.name} = new.{each.name}"
        for each in record.changing
    )
    fields = [record.field(key) for key in keys] + list(record.changing)
    condition = " AND ".join(f"{table}.{key} = new.{key}" for key in keys)
    return f"UPDATE {table} SET {settings} FROM {_unfolded(fields, further)} WHERE {condition}"  # noqa: S608


#: What is written of runs, and what of their tasks: the parts of one statement, which has those that have rows.
_OF_RUNS: Final = {
    "begun": _insert(WORKFLOW) + " ON CONFLICT (id) DO NOTHING RETURNING id",
    "moved": _update(WORKFLOW, ["id"], "loaded_version")
    + " AND workflow.version_no = new.loaded_version RETURNING workflow.id",
}
#: ``IS TRUE`` has the server hash the ids of the runs once; as a join it would compare each task with each run.
_IS_WRITTEN: Final = "(new.workflow_id IN (SELECT id FROM written)) IS TRUE"
_OF_TASKS: Final = {
    "added": f"{_insert(TASK)} WHERE {_IS_WRITTEN}",
    "changed": f"{_update(TASK, ['workflow_id', 'seq'])} AND {_IS_WRITTEN}",
}


@cache
def _save(parts: tuple[str, ...]) -> str:
    """Return the one statement that writes these parts, and returns the ids of the runs that were written."""
    runs = {part: query for part, query in _OF_RUNS.items() if part in parts}
    tasks = {part: query for part, query in _OF_TASKS.items() if part in parts}
    written = " UNION ALL ".join(f"SELECT id FROM {part}" for part in runs)  # noqa: S608
    queries = {**runs, "written": written, **tasks}
    named = ", ".join(f"{part} AS ({query})" for part, query in queries.items())
    return _numbered(f"WITH {named} SELECT id FROM written")  # noqa: S608


def _numbered(statement: str) -> str:
    """Return the statement with the server's own placeholders, $1, $2 and so on, in the places of ``%s``."""
    first, *others = statement.split("%s")
    return first + "".join(f"${number}{text}" for number, text in enumerate(others, 1))


def json_as_text(connection: Any, _: object) -> None:
    """Let a new connection hand out JSON as it is written: the codec reads it, the same for every database."""
    connection.adapters.register_loader("json", TextLoader)


#: Of a run that is known to be written, the tasks beyond those of the one statement.
_INSERT_MORE: Final = _numbered(_insert(TASK))
_UPDATE_MORE: Final = _numbered(_update(TASK, ["workflow_id", "seq"]))


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Have the only statement of a transaction be the transaction: it needs no round trips for BEGIN and COMMIT.

    Where something was read before, the transaction has begun and goes on as usual.
    """
    driver: Any = connection.connection.driver_connection
    if driver.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    driver.autocommit = True
    try:
        yield
    finally:
        if driver.info.transaction_status is TransactionStatus.IDLE:
            driver.autocommit = False


class PostgresBatch:
    """Writes batches to Postgres."""

    def load(
        self, connection: Connection, table: Table, names: Sequence[str], ids: Sequence[str]
    ) -> Iterator[Sequence[Any]]:
        """See ``Batch.load``."""
        keys = [column.name for column in table.primary_key]
        # A join, because a plan that is made once leads each id to its partition only so; = ANY looks into all of them.
        statement = (
            f"SELECT {', '.join(names)} FROM unnest($1::text[]) AS wanted (run) "  # noqa: S608
            f"JOIN {table.name} ON {keys[0]} = wanted.run ORDER BY {', '.join(keys)}"
        )
        # The driver's own rows: SQLAlchemy's cost more than reading them.
        with connection.exec_driver_sql(statement, (_texts(list(dict.fromkeys(ids))),)) as result:
            yield from fetched(result.cursor)

    def save(self, connection: Connection, saves: Sequence[Save], *, last: bool) -> set[str]:
        """See ``Batch.save``."""
        new = [save.workflow for save in saves if save.loaded_version is None]
        existing = [save for save in saves if save.loaded_version is not None]
        inserted = [task for save in saves for task in save.inserted]
        updated = [(task, save.tasks_before.get(task.seq)) for save in saves for task in save.updated]
        arrays: dict[str, list[str]] = {}
        if new:
            arrays["begun"] = _arrays(WORKFLOW.fields, WORKFLOW.columns(new))
        if existing:
            arrays["moved"] = _moved(existing)
        if inserted:
            arrays["added"] = _arrays(TASK.fields, TASK.columns(inserted[:SLICE]))
        if updated:
            arrays["changed"] = _changed(updated[:SLICE])
        if not arrays:
            return set()
        statement, values = _save(tuple(arrays)), tuple(chain.from_iterable(arrays.values()))
        is_all = len(inserted) <= SLICE and len(updated) <= SLICE
        alone = _alone(connection) if last and is_all else nullcontext()
        with alone, connection.exec_driver_sql(statement, values) as result:
            written = {row[0] for rows in fetched(result.cursor) for row in rows}
        for tasks in sliced([task for task in inserted[SLICE:] if task.workflow_id in written]):
            connection.exec_driver_sql(_INSERT_MORE, tuple(_arrays(TASK.fields, TASK.columns(tasks))))
        for pairs in sliced([pair for pair in updated[SLICE:] if pair[0].workflow_id in written]):
            connection.exec_driver_sql(_UPDATE_MORE, tuple(_changed(pairs)))
        return written

    def insert_missing(self, table: Table) -> Insert:
        """See ``Batch.insert_missing``."""
        return postgresql.insert(table).on_conflict_do_nothing()

    def put(self, table: Table, changes: Changes) -> Insert:
        """See ``Batch.put``."""
        put = postgresql.insert(table)
        return put.on_conflict_do_update(index_elements=table.primary_key, set_=changes(put.excluded))

    def among(self, column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
        """See ``Batch.among``."""
        return column == any_(bindparam(None, [storable(each) for each in values], ARRAY(Text())))

    def take_turns(self, connection: Connection, subject: str) -> None:
        """See ``Batch.take_turns``."""
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal(subject), 0))))


def _moved(saves: Sequence[Save]) -> list[str]:
    ids = _texts([save.workflow.id for save in saves])
    columns = WORKFLOW.changes([save.workflow for save in saves], [save.before for save in saves])
    versions = "{" + ",".join([str(save.loaded_version) for save in saves]) + "}"
    return [ids, *_arrays(WORKFLOW.changing, columns), versions]


def _changed(pairs: Sequence[tuple[Task, Task | None]]) -> list[str]:
    tasks = [task for task, _ in pairs]
    ids = _texts([task.workflow_id for task in tasks])
    numbers = "{" + ",".join([str(task.seq) for task in tasks]) + "}"
    return [ids, numbers, *_arrays(TASK.changing, TASK.changes(tasks, [before for _, before in pairs]))]


def _arrays(fields: Sequence[Field], columns: Sequence[Values]) -> list[str]:
    return [_array(field, column) for field, column in zip(fields, columns, strict=True)]
