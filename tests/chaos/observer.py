"""Looks into the database past the proxies: what is open, what has moved, what is missing."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import psycopg

from deploy.probe import conninfo
from tests.chaos.private_pair import PrivatePair

_OPEN = "status IN ('RUNNING', 'PAUSED')"


class Observer:
    """Asks Postgres itself, wherever it listens just now."""

    def __init__(self, servers: PrivatePair) -> None:
        self._servers = servers
        self._url = ""
        self._connection: psycopg.Connection[Any] | None = None

    def versions(self) -> dict[str, int]:
        """Return every open run with the version of its row."""
        return dict(self._rows(f"SELECT id, version_no FROM workflow WHERE {_OPEN}"))

    def unmoved(self, versions: dict[str, int]) -> dict[str, int]:
        """Return those of these runs that are open and have not changed since."""
        rows = self._rows(f"SELECT id, version_no FROM workflow WHERE {_OPEN} AND id = ANY(%s)", list(versions))
        return {identity: version for identity, version in rows if versions[identity] == version}

    def open(self) -> list[str]:
        """Return the ids of all open runs."""
        return [row[0] for row in self._rows(f"SELECT id FROM workflow WHERE {_OPEN}")]

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of these ids under which there is no run."""
        return set(ids) - {row[0] for row in self._rows("SELECT id FROM workflow WHERE id = ANY(%s)", list(ids))}

    def still_open(self, ids: Collection[str]) -> set[str]:
        """Return those of these ids whose run has not ended or does not exist."""
        rows = self._rows(f"SELECT id FROM workflow WHERE id = ANY(%s) AND NOT {_OPEN}", list(ids))
        return set(ids) - {row[0] for row in rows}

    def runs(self) -> list[dict[str, Any]]:
        """Return id, name, status, reason and output of every run."""
        rows = self._rows("SELECT id, name, status, reason, output, parent_id FROM workflow")
        return [dict(zip(("id", "name", "status", "reason", "output", "parent"), row, strict=True)) for row in rows]

    def silences(self) -> list[tuple[Any, ...]]:
        """Return the attempts that were ended because nothing was heard of them."""
        return self._rows(
            "SELECT workflow_id, seq, name, worker, scheduled_at, started_at, reason FROM task"
            " WHERE status = 'TIMED_OUT' ORDER BY scheduled_at"
        )

    def tasks(self, identity: str) -> list[tuple[Any, ...]]:
        """Return the tasks of a run, for whoever looks for the reason why it is stuck."""
        return self._rows(
            "SELECT seq, ref, type, status, attempt, dispatched, visible_at, scheduled_at, updated_at, due_at,"
            " child_id, reason FROM task WHERE workflow_id = %s ORDER BY seq",
            identity,
        )

    def row(self, identity: str) -> list[tuple[Any, ...]]:
        """Return what of a run's row says why it is stuck."""
        return self._rows(
            "SELECT id, name, status, version_no, wake_at, rung_at, unconfirmed::text, updated_at, parent_id"
            " FROM workflow WHERE id = %s",
            identity,
        )

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        for _ in range(20):
            try:
                return self._connected().execute(statement, values or None).fetchall()
            except psycopg.OperationalError:
                self._connection = None
                time.sleep(0.25)
        return self._connected().execute(statement, values or None).fetchall()

    def _connected(self) -> psycopg.Connection[Any]:
        url = self._servers.database_url
        if self._connection is None or self._connection.closed or self._url != url:
            self._connection, self._url = psycopg.connect(conninfo(url), autocommit=True), url
        return self._connection
