"""The kinds of server that Baton can work on, a row for each: how one is found, asked, installed and started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from deploy import (
    private_mariadb,
    private_postgres,
    private_rabbitmq,
    private_redis,
    probe,
)
from deploy.docker_engine import ComposeServers
from deploy.endpoint import Server
from deploy.vhosts import Vhosts

#: A server's URL and, for RabbitMQ, that of its HTTP API.
Address = tuple[str, str | None]


class Private(Protocol):
    """A server of our own in a directory."""

    def stop(self) -> None:
        """Stop the server, if it runs; its data stays."""
        ...


@dataclass(frozen=True)
class Kind:
    """One kind of server.

    ``variable`` is the environment variable that names a running one, ``example`` what such a URL looks like and what
    its user must be allowed; ``standard`` are URLs worth a try. ``look`` asks the server at an address, found in the
    way that the last argument says, and raises ``Unusable``. ``package`` is Debian's; ``programs`` returns None where
    it is not installed. ``compose`` returns where the service of the same name of our compose file answers, and is
    None when there is no such service.
    """

    name: str
    package: str
    variable: str
    example: str
    standard: Sequence[str]
    look: Callable[[str, str | None, str], Server]
    programs: Callable[[], object | None]
    start: Callable[[Path], Address]
    private: Callable[[Path], Private]
    compose: Callable[[ComposeServers], Address] | None = None


def _rabbitmq(url: str, management_url: str | None, origin: str) -> Server:
    version = probe.rabbitmq_version(url, management_url)
    return Server(url, "RabbitMQ", version, origin, Vhosts(url, management_url).management_url())


def _postgres(url: str, _: str | None, origin: str) -> Server:
    return Server(url, "PostgreSQL", probe.postgres_version(url), origin)


def _mysql(url: str, _: str | None, origin: str) -> Server:
    product, version = probe.mysql_version(url)
    return Server(url, product, version, origin)


def _redis(url: str, _: str | None, origin: str) -> Server:
    return Server(url, "Redis", probe.redis_version(url), origin)


RABBITMQ: Final = Kind(
    name="rabbitmq",
    package="rabbitmq-server",
    variable="BATON_TEST_BROKER_URL",
    example="amqp://user:password@host:5672//, a user that may create virtual hosts",
    standard=("amqp://baton:baton@localhost:5672//", "amqp://guest:guest@localhost:5672//"),
    look=_rabbitmq,
    programs=private_rabbitmq.programs,
    start=lambda directory: private_rabbitmq.PrivateRabbitmq(directory).start(),
    private=private_rabbitmq.PrivateRabbitmq,
    compose=lambda compose: (compose.broker_url, compose.management_url),
)

POSTGRES: Final = Kind(
    name="postgres",
    package="postgresql",
    variable="BATON_TEST_DATABASE_URL",
    example="postgresql+psycopg://user:password@host:5432/postgres, a role that may create databases",
    # What a freshly installed Postgres, or one that was prepared for Baton, lets in.
    standard=(
        "postgresql+psycopg://baton:baton@localhost:5432/postgres",
        "postgresql+psycopg://postgres:postgres@localhost:5432/postgres",
        "postgresql+psycopg://postgres@localhost:5432/postgres",
    ),
    look=_postgres,
    programs=private_postgres.programs,
    start=lambda directory: (private_postgres.PrivatePostgres(directory).start(), None),
    private=private_postgres.PrivatePostgres,
    compose=lambda compose: (compose.database_url, None),
)

MYSQL: Final = Kind(
    name="mysql",
    package="mariadb-server",
    variable="BATON_TEST_MYSQL_URL",
    example="mysql://user:password@host:3306, MariaDB or MySQL, a user that may create databases",
    standard=("mysql://baton:baton@127.0.0.1:3306", "mysql://root:root@127.0.0.1:3306", "mysql://root@127.0.0.1:3306"),
    look=_mysql,
    programs=private_mariadb.programs,
    start=lambda directory: (private_mariadb.PrivateMariadb(directory).start(), None),
    private=private_mariadb.PrivateMariadb,
)

REDIS: Final = Kind(
    name="redis",
    package="redis-server",
    variable="BATON_TEST_REDIS_URL",
    example="redis://:password@host:6379, with databases that hold nothing yet",
    standard=("redis://localhost:6379",),
    look=_redis,
    programs=private_redis.program,
    start=lambda directory: (private_redis.PrivateRedis(directory).start(), None),
    private=private_redis.PrivateRedis,
)

KINDS: Final = {kind.name: kind for kind in (RABBITMQ, POSTGRES, MYSQL, REDIS)}

#: What Baton runs on unless it is told otherwise.
PAIR: Final = (RABBITMQ.name, POSTGRES.name)
