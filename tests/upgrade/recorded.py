"""What earlier versions wrote, as ``record.py`` kept it, and putting it back where it was."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy
from msgspec import convert
from msgspec.structs import replace

from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.revisions import SCRIPTS, Kind
from engine.wire.message import Message

#: A folder for each version, the oldest first.
VERSIONS = sorted((Path(__file__).parent / "recorded").iterdir())

#: Tables before those that refer to them.
_ORDER = ("lease_owner",)


@cache
def read(version: Path, part: str) -> Any:
    """Return a part of a recording: ``database``, ``messages``, ``ends`` or ``statements``."""
    return json.loads((version / f"{part}.json").read_text())


def tables(version: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the recorded rows by table."""
    found = {name: rows for name, rows in read(version, "database").items() if isinstance(rows, list)}
    return {name: found[name] for name in sorted(found, key=lambda name: name not in _ORDER)}


def messages(version: Path, part: str) -> list[Message]:
    """Return recorded messages: ``handled``, ``waiting`` or ``examples``."""
    return [
        replace(convert({**each, "body": ""}, Message), body=each["body"].encode())
        for each in read(version, "messages")[part]
    ]


def put_back(version: Path, url: str, folder: Path) -> None:
    """Make the database as the version left it, with the tables that it had."""
    revision = read(version, "database")["revision"]
    scripts = folder / "migrations"
    shutil.copytree(SCRIPTS, scripts)
    for path in (scripts / Kind.BEFORE).glob("[0-9]*.py"):
        if path.name[:4] > revision:
            path.unlink()
    shutil.rmtree(scripts / Kind.AFTER)
    migrate(url, scripts)
    database = open_database(url, 1)
    with database.begin() as connection:
        for name, rows in tables(version).items():
            _insert(connection, name, rows)
    database.dispose()


def _insert(connection: sqlalchemy.Connection, name: str, rows: list[dict[str, Any]]) -> None:
    if name == "request_log":
        # The database counts these itself.
        rows = [{column: value for column, value in row.items() if column != "id"} for row in rows]
    table = sqlalchemy.table(name, *(sqlalchemy.column(column) for column in rows[0]))
    connection.execute(table.insert(), rows)
