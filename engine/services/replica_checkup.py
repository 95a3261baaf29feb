"""The doctor's look at the replica from which servers read: does it answer, and how far is it behind?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from engine.config import Settings, variable_of
from engine.errors import BadConfiguration, SchemaTooNew, StoreUnavailable
from engine.masking import masked
from engine.services.finding import Finding, sentence
from engine.store.migrate import pending
from engine.store.revisions import connected

_SUBJECT: Final = "read database"

#: Seconds from which on people notice that their lists are old.
_LATE_SECONDS: Final = 30.0

#: How old the last change is that it has; 0 where it has all that has arrived, for then nothing may have happened.
_LAG: Final = text(
    "SELECT CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
    "ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END"
)


def examine_replica(settings: Settings) -> Iterator[Finding]:
    """Look whether the replica has the tables, where one is set, and on Postgres how far it is behind."""
    url = settings.read_database_url
    if url is None:
        return
    where, variable = masked(url), variable_of("read_database_url")
    try:
        missing = pending(url)
        with connected(url) as connection:
            seconds = _behind(connection)
    except (StoreUnavailable, BadConfiguration, SchemaTooNew) as error:
        remedy = f"Start it, say where it is in {variable}, or leave that out; until then searches are answered 503."
        yield Finding(subject=_SUBJECT, state="fault", what=sentence(error), remedy=remedy)
        return
    if missing:
        remedy = f"See whether it follows the database; {variable} must be a replica of it."
        what = f"{where} lacks the migrations {', '.join(missing)}"
        yield Finding(subject=_SUBJECT, state="fault", what=what, remedy=remedy)
    elif seconds > _LATE_SECONDS:
        remedy = "See what keeps it: long searches on it, too little of a machine, or a lost connection."
        what = f"{where} is {seconds:,.0f} s behind: so old are lists and searches"
        yield Finding(subject=_SUBJECT, state="warning", what=what, remedy=remedy)
    else:
        yield Finding(subject=_SUBJECT, state="ok", what=f"{where} answers and is up to date")


def _behind(connection: Connection) -> float:
    if connection.dialect.name != "postgresql":
        return 0.0
    return float(connection.scalar(_LAG) or 0)
