"""Bringing a database's tables to what this version needs.

Migrations are of two kinds, each a folder, a row of revisions and a table that says how far it has come. Those in
``before`` add, so that the version before goes on working on what they leave; every process runs them when it
starts. Those in ``after`` take away what no process of this version uses any more. A revision that is not known here
is a newer version's: if it added, nothing is wrong; if it took away, this version can no longer work.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from engine.clock import Instant
from engine.config import variable_of
from engine.errors import BadConfiguration, Refused
from engine.store.partitioning import divide, table_parts
from engine.store.presence import living
from engine.store.revisions import (
    SCRIPTS,
    Kind,
    advance,
    connected,
    refuse_unknown,
    retreat,
    standing,
)


def migrate(url: str, scripts: Path = SCRIPTS, *, table_partitions: int = 0) -> tuple[str, ...]:
    """Run in one transaction what this version needs to work; return the revisions applied, oldest first.

    These are all of ``before``; on a database without tables those of ``after`` as well, for no older version works
    there. Only there the tables are made in so many ``table_partitions``, 0 for none. Whoever calls at the same time
    waits for the first, then finds nothing to do. Raises ``StoreUnavailable`` when the database cannot be reached,
    ``BadConfiguration`` for an unusable URL or partitions that the database has not got, ``SchemaTooNew`` when a newer
    version has taken away what this one needs.
    """
    with connected(url, alone=True) as connection:
        refuse_unknown(connection, scripts)
        is_new = standing(connection, Kind.BEFORE, scripts).newest is None
        if table_partitions:
            _expect_partitions(connection, table_partitions, is_new=is_new)
        applied = advance(connection, Kind.BEFORE, scripts)
        if is_new:
            applied += advance(connection, Kind.AFTER, scripts)
            if table_partitions:
                divide(connection, table_partitions)
        return applied


def _expect_partitions(connection: Connection, wanted: int, *, is_new: bool) -> None:
    """Raise ``BadConfiguration`` where the tables neither are, nor can be made, in so many partitions."""
    if connection.dialect.name != "postgresql":
        raise BadConfiguration(
            [f"{variable_of('table_partitions')} is {wanted}: only Postgres has partitioned tables."]
        )
    found = table_parts(connection)
    if not is_new and found != wanted:
        what = f"in {found} partitions" if found else "not partitioned"
        raise BadConfiguration(
            [
                f"{variable_of('table_partitions')} is {wanted}, but the tables of this database are {what}: that is "
                f"fixed when they are made. Set it to {found}"
                + ("." if found else ", or stop every process and run 'baton migrate --partition'.")
            ]
        )


def partition(url: str, now: Instant, parts: int, scripts: Path = SCRIPTS) -> None:
    """Divide tables that are whole and full, in one transaction that copies every row and lets nobody else in.

    Raises ``Refused`` while processes are alive, ``BadConfiguration`` also where the tables are partitioned already,
    else what ``migrate`` raises.
    """
    with connected(url, alone=True) as connection:
        refuse_unknown(connection, scripts)
        advance(connection, Kind.BEFORE, scripts)
        _expect_partitions(connection, parts, is_new=True)
        if found := table_parts(connection):
            raise BadConfiguration([f"The tables of this database are in {found} partitions already."])
        if alive := living(connection, now):
            named = ", ".join(f"{each.kind} {each.id}" for each in alive)
            raise Refused(f"The tables cannot be copied while processes work on them: {named}")
        divide(connection, parts)


def finish(url: str, now: Instant, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Take away what no process of this version uses any more; return the revisions applied, oldest first.

    Runs what is missing of ``before`` first. Raises ``Refused`` while processes are alive that do not know what is to
    be taken away, else what ``migrate`` raises.
    """
    with connected(url, alone=True) as connection:
        refuse_unknown(connection, scripts)
        missing = standing(connection, Kind.AFTER, scripts).missing
        older = [each for each in living(connection, now) if missing and each.knows < missing[-1]]
        if older:
            named = ", ".join(f"{each.kind} {each.id} ({each.version})" for each in older)
            raise Refused(
                f"Processes of an older version are alive and may still use what would be taken away: {named}"
            )
        return advance(connection, Kind.BEFORE, scripts) + advance(connection, Kind.AFTER, scripts)


def pending(url: str, kind: Kind = Kind.BEFORE, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Return the revisions of a kind that the database still lacks, oldest first; empty when it is up to date.

    Raises what ``migrate`` raises.
    """
    with connected(url) as connection:
        refuse_unknown(connection, scripts)
        return standing(connection, kind, scripts).missing


def take_away(url: str, scripts: Path = SCRIPTS) -> None:
    """Undo every migration: all tables go, with all that is in them."""
    with connected(url, alone=True) as connection:
        for kind in (Kind.AFTER, Kind.BEFORE):
            retreat(connection, kind, scripts)
