"""SQL and JDBC: carries out one statement on a database that the worker's settings name (Conductor 3.21)."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Engine, create_engine, exc, text

from engine.config import Settings, load
from engine.masking import masked
from engine.model.payload import Json, JsonObject
from workers.failure import TaskFailure, TerminalError

#: Connections to one database that a process keeps.
_POOL: Final = 5

#: Rows fetched at a time.
_ROWS: Final = 500

#: What stands in a statement without being part of it, and the question mark that is.
_PIECE: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\?|[^'\"?/-]+|.", re.DOTALL)


def run(_: Any, /, **inputs: Json) -> dict[str, Json]:
    """Return ``{"result": [rows as objects]}`` of a SELECT, ``{"update_count": rows}`` of an UPDATE.

    ``connectionId`` (or ``integrationName``) names one of ``BATON_SQL_CONNECTIONS``. ``statement`` takes its values
    from ``parameters``: a list for its question marks, or an object for its ``:names``. ``type`` is SELECT (the
    default) or UPDATE, which stands for everything that changes something; an UPDATE that changes another number of
    rows than ``expectedUpdateCount`` is rolled back and fails. ``schemaName`` is where unqualified tables are.

    Raises ``TerminalError`` for what no retry can mend: no statement, an unknown connection, a result that is too
    large; ``TaskFailure`` for what the database says.
    """
    settings = load()
    name = inputs.get("connectionId") or inputs.get("integrationName")
    statement = inputs.get("statement")
    if not isinstance(statement, str) or not statement.strip():
        raise TerminalError("The task needs a 'statement'.")
    kind = str(inputs.get("type") or "SELECT").upper()
    if kind not in ("SELECT", "UPDATE"):
        raise TerminalError(f"'type' must be SELECT or UPDATE, not {kind!r}.")
    written, values = _bound(statement, inputs.get("parameters"))
    database = _database(str(name), settings.sql_connections)
    try:
        with database.begin() as connection:
            _go_to_schema(connection, inputs.get("schemaName"))
            if kind == "SELECT":
                return {"result": _rows(connection, written, values, settings)}
            return {"update_count": _update(connection, written, values, inputs.get("expectedUpdateCount"))}
    except exc.StatementError as error:
        raise TaskFailure(f"The database {name} refused the statement: {_words(error)}") from None
    except exc.SQLAlchemyError as error:
        raise TaskFailure(f"The database {name} cannot be used: {_words(error)}") from None


@cache
def _database(name: str, connections: str) -> Engine:
    urls = sql_connections(connections)
    if name not in urls:
        known = ", ".join(sorted(urls)) or "none"
        raise TerminalError(f"There is no connection {name!r}; BATON_SQL_CONNECTIONS of this worker names {known}.")
    try:
        # Values belong to the run, not into error texts.
        return create_engine(urls[name], pool_size=_POOL, pool_pre_ping=True, hide_parameters=True)
    except (exc.SQLAlchemyError, ImportError) as error:
        raise TerminalError(f"The connection {name} cannot be opened: {masked(str(error))}") from None


def sql_connections(setting: str) -> dict[str, str]:
    """Return the URLs of a setting such as ``orders=postgresql+psycopg://… stock=mysql+pymysql://…`` by their names."""
    pairs = (part.partition("=") for part in setting.split())
    return {name: url for name, _, url in pairs}


def _bound(statement: str, parameters: Json) -> tuple[sqlalchemy.TextClause, dict[str, Json]]:
    """Return the statement in SQLAlchemy's form, and its values by name."""
    if isinstance(parameters, Mapping):
        return text(statement), dict(parameters)
    if not isinstance(parameters, list | tuple | None):
        raise TerminalError("'parameters' must be a list or an object.")
    values = list(parameters or ())
    pieces: list[str] = []
    marks = 0
    for piece in _PIECE.findall(statement):
        if piece == "?":
            marks += 1
            pieces.append(f":p{marks}")
        else:
            # A colon is no name here: it may stand in a text, or in Postgres' '::'.
            pieces.append(piece.replace(":", "\\:"))
    if marks != len(values):
        raise TerminalError(f"The statement has {marks} question marks, and there are {len(values)} parameters.")
    return text("".join(pieces)), {f"p{number}": value for number, value in enumerate(values, 1)}


def _go_to_schema(connection: Connection, schema: Json) -> None:
    if not schema:
        return
    quoted = connection.dialect.identifier_preparer.quote_identifier(str(schema))
    match connection.dialect.name:
        case "postgresql":
            connection.execute(text(f"SET LOCAL search_path TO {quoted}"))
        case "mysql" | "mariadb":
            connection.execute(text(f"USE {quoted}"))
        case other:
            raise TerminalError(f"'schemaName' is not offered for {other}: write the schema before the table's name.")


def _rows(
    connection: Connection, statement: sqlalchemy.TextClause, values: JsonObject, settings: Settings
) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = []
    size = 0
    result = connection.execution_options(stream_results=True, yield_per=_ROWS).execute(statement, dict(values))
    if not result.returns_rows:
        raise TerminalError("The statement returns no rows: its 'type' is UPDATE.")
    for page in result.mappings().partitions(_ROWS):
        rows = [{column: _json(value) for column, value in row.items()} for row in page]
        size += len(msgspec.json.encode(rows))
        if size > settings.payload_limit_bytes:
            raise TerminalError(
                f"The result is larger than {settings.payload_limit_bytes:,} bytes (BATON_PAYLOAD_LIMIT_BYTES): "
                "select fewer rows or columns."
            )
        found += rows
    return found


def _update(connection: Connection, statement: sqlalchemy.TextClause, values: JsonObject, expected: Json) -> int:
    changed = connection.execute(statement, dict(values)).rowcount
    if expected is not None and changed != expected:
        raise TaskFailure(f"The statement would have changed {changed} rows, expected were {expected}: rolled back.")
    return changed


def _json(value: Any) -> Json:
    """Return a column's value as JSON: numbers as numbers, dates in ISO 8601, bytes in base64."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime.timedelta():
            return value.total_seconds()
        case uuid.UUID():
            return str(value)
        case Mapping():
            return {str(key): _json(part) for key, part in value.items()}
        case str() | bytes():
            return msgspec.to_builtins(value)
        case Sequence() | set():
            return [_json(part) for part in _parts(value)]
        case _:
            return msgspec.to_builtins(value, str_keys=True)


def _parts(value: Iterable[Any]) -> Iterable[Any]:
    return sorted(value) if isinstance(value, set) else value


def _words(error: exc.SQLAlchemyError) -> str:
    """Return what the database said, without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return masked(str(said).strip())
