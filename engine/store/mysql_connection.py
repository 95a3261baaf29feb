"""Connections to MariaDB and MySQL: what each is told at first, and which of the server's words mean what."""

from __future__ import annotations

import re
import socket
from typing import Any, Final

import pymysql
import sqlalchemy
from pymysql.connections import Connection
from sqlalchemy import URL, event
from sqlalchemy.engine import ExceptionContext

from engine.errors import BadConfiguration

#: The oldest versions with SKIP LOCKED and with windows that the planner reads backwards.
_OLDEST_MARIADB: Final = (10, 6)
_OLDEST_MYSQL: Final = (8, 0, 19)

#: Seconds for which a connection may have been idle; servers close them by themselves after eight hours.
_RECYCLE_SECONDS: Final = 3600

#: Seconds to wait for a row that another transaction holds: fewer than the server takes us for dead in.
_LOCK_SECONDS: Final = 20

#: What the server says of itself when it is one that only copies another: a connection to it is of no use.
_READ_ONLY: Final = frozenset({1290, 1792, 1836})

#: What the driver calls operational although trying again cannot help: a row or statement larger than is allowed.
_NEVER: Final = frozenset({1118, 1153})

#: Beside the statement a packet holds a byte for the command; the rest is room for what nobody thought of.
_PACKET_ROOM: Final = 1024


class LimitedConnection(Connection):
    """A connection that refuses a statement larger than the server takes, which would answer by hanging up."""

    largest_bytes: int | None = None

    def query(self, sql: str | bytes | bytearray, unbuffered: bool = False) -> int:
        """Send a statement; raises ``DataError`` when it is larger than the server's ``max_allowed_packet``."""
        encoded = sql.encode(self.encoding) if isinstance(sql, str) else sql
        if self.largest_bytes is not None and len(encoded) > self.largest_bytes:
            raise pymysql.err.DataError(
                1153,
                f"A row needs a statement of {len(encoded):,} bytes, but the server takes {self.largest_bytes:,}: "
                "raise its max_allowed_packet",
            )
        affected: int = super().query(encoded, unbuffered)
        return affected

    def greet(self, vanished: dict[str, int]) -> None:
        """Find out what the server is and set the session up.

        ``vanished`` are options of TCP by which the system gives a silent server up. Raises ``BadConfiguration`` for
        a server that is too old.
        """
        line: socket.socket = self._sock  # type: ignore[attr-defined]
        if line.family in {socket.AF_INET, socket.AF_INET6}:
            for option, value in vanished.items():
                if hasattr(socket, option):
                    line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        with self.cursor() as cursor:
            cursor.execute("SELECT VERSION(), @@max_allowed_packet")
            version, largest = cursor.fetchone() or ("", 0)
            _check_version(str(version))
            cursor.execute(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
                f"innodb_lock_wait_timeout = {_LOCK_SECONDS}"
            )
        self.largest_bytes = int(largest) - _PACKET_ROOM


def open_mysql(url: URL, vanished: dict[str, int], connect_args: dict[str, Any], **pool: Any) -> sqlalchemy.Engine:
    """Return a pool of connections to the server of that URL; none is opened yet.

    ``connect_args`` are the driver's, which the URL's own options go before.
    """
    given = {key: value for key, value in connect_args.items() if key not in url.query}
    database = sqlalchemy.create_engine(
        url, connect_args=given, isolation_level="READ COMMITTED", pool_recycle=_RECYCLE_SECONDS, **pool
    )

    def connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> LimitedConnection:
        connection = LimitedConnection(*arguments, **options)
        try:
            connection.greet(vanished)
        except BaseException:
            connection.close()
            raise
        return connection

    event.listen(database, "do_connect", connect)
    event.listen(database, "handle_error", _drop_read_only)
    return database


def never_fits(error: BaseException | None) -> bool:
    """Tell whether the server refused what it will refuse again, although the driver calls that operational."""
    return isinstance(error, pymysql.Error) and bool(error.args) and error.args[0] in _NEVER


def _drop_read_only(context: ExceptionContext) -> None:
    """Look for the server anew once the one at hand takes no writes any more, as after a fail-over."""
    error = context.original_exception
    if isinstance(error, pymysql.Error) and error.args and error.args[0] in _READ_ONLY:
        context.is_disconnect = True


def _check_version(version: str) -> None:
    is_mariadb = "mariadb" in version.lower()
    oldest = _OLDEST_MARIADB if is_mariadb else _OLDEST_MYSQL
    # A MariaDB may say 5.5.5- before its own number, for drivers that know nothing newer.
    numbers = tuple(map(int, re.findall(r"\d+", version.removeprefix("5.5.5-"))[:3]))
    if numbers < oldest:
        name = "MariaDB" if is_mariadb else "MySQL"
        needed = ".".join(map(str, oldest))
        raise BadConfiguration([f"The database is {name} {version}: Baton needs {name} {needed} or newer"])
