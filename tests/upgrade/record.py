"""Records what a version writes: ``python -m tests.upgrade.record postgresql://…/empty-database FOLDER``.

Run it with the code of a version that is about to be released, on an empty database of Postgres. What it leaves in the
folder is kept for good, and read by every version after it (``test_recorded.py``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from msgspec import to_builtins
from sqlalchemy import event, select

from engine.store import open_store
from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.schema import metadata
from engine.testing.harness import Harness
from engine.wire.message import Message
from tests.upgrade.story import begin, finish, waiting

#: Messages of one kind that are kept as examples.
_EXAMPLES = 3

#: Beginnings of statements that prepare a connection and change nothing.
_GREETINGS = ("SET ", "SHOW ", "select pg_catalog.version", "select current_schema", "show standard")


def main(url: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    revision = migrate(url)[-1]
    harness = Harness()
    harness.store = open_store(url)  # type: ignore[assignment]
    harness.restart_decider()
    published = tapped(harness)
    with statements() as run:
        handled = begin(harness)
        said = list(run)
        messages = {"handled": written(handled), "waiting": written(waiting(harness))}
        middle = {"revision": revision, "now": harness.clock.now(), **tables(url)}
        ends = finish(harness)
    write(folder / "database.json", middle)
    write(folder / "messages.json", {**messages, "examples": written(examples(published))})
    write(folder / "ends.json", ends)
    texts = list(dict.fromkeys(text for text, _, _ in said))
    runs = [[texts.index(text), parameters, many] for text, parameters, many in said]
    write(folder / "statements.json", {"texts": texts, "runs": runs})


@contextmanager
def statements() -> Iterator[list[Any]]:
    """Collect every statement that is run inside the block, with what it was given."""
    run: list[Any] = []

    def note(_c: Any, _u: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if not statement.lstrip().startswith(_GREETINGS):
            run.append([statement, to_builtins(parameters), many])

    event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    yield run
    event.remove(sqlalchemy.Engine, "before_cursor_execute", note)


def tapped(harness: Harness) -> list[Message]:
    """Return a list that grows by every message that is published from now on."""
    published: list[Message] = []
    publish = harness.road.publish

    def listen(messages: list[Message]) -> None:
        published.extend(messages)
        publish(messages)

    harness.road.publish = listen  # type: ignore[method-assign, assignment]
    return published


def examples(published: list[Message]) -> list[Message]:
    """Return a few messages of each kind."""
    kinds: dict[str, list[Message]] = {}
    for message in published:
        kinds.setdefault(kind_of(message), []).append(message)
    return [message for several in kinds.values() for message in several[:_EXAMPLES]]


def kind_of(message: Message) -> str:
    return f"{message.exchange or 'queue'} {message.headers.get('baton') or message.headers.get('lang') or '-'}"


def written(messages: list[Message]) -> list[Any]:
    return [{**to_builtins(message), "body": message.body.decode()} for message in messages]


def tables(url: str) -> dict[str, Any]:
    """Return every row of every table, JSON as the text that it is."""
    database = open_database(url, 1)
    with database.connect() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(select(*map(as_stored, table.c))).mappings()]
            for table in metadata.sorted_tables
        }
    database.dispose()
    return {name: sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)) for name, rows in found.items() if rows}


def as_stored(column: sqlalchemy.Column[Any]) -> sqlalchemy.ColumnElement[Any]:
    """Return the column; as text where the driver would make a value of it."""
    is_json = type(column.type).__name__ == "JsonText"
    return sqlalchemy.cast(column, sqlalchemy.Text).label(column.name) if is_json else column


def write(path: Path, value: Any) -> None:
    """Write an object as JSON, with a line for each member of what it holds."""
    members = []
    for name, held in value.items():
        lines = [json.dumps(each, ensure_ascii=False) for each in held] if isinstance(held, list) else None
        members.append(json.dumps(name) + ": " + ("[\n" + ",\n".join(lines) + "\n]" if lines else json.dumps(held)))
    path.write_text("{\n" + ",\n".join(members) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
