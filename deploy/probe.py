"""Asks a running server whether it lets us work, and which version it is."""

from __future__ import annotations

import uuid

import psycopg
import pymysql
import redis
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from sqlalchemy import make_url

from deploy.endpoint import Unusable
from deploy.vhosts import Vhosts

#: Seconds to wait for a server to accept a connection; a listening server on this machine answers in milliseconds.
CONNECT_SECONDS = 3


def postgres_version(database_url: str) -> str:
    """Return the version of a Postgres in which we may create databases.

    Raises:
        Unusable: nobody answers, the credentials are refused, or the role may not create databases.
    """
    try:
        with psycopg.connect(conninfo(database_url), connect_timeout=CONNECT_SECONDS, autocommit=True) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), rolsuper OR rolcreatedb, rolname"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        raise Unusable(str(error).strip()) from error
    assert row is not None
    version, may_create, role = row
    if not may_create:
        raise Unusable(f"the role {role!r} may not create databases: ALTER ROLE {role} CREATEDB")
    return str(version).split()[0]


def rabbitmq_version(broker_url: str, management_url: str | None) -> str:
    """Return the version of a RabbitMQ in which we may create virtual hosts.

    Raises:
        Unusable: nobody answers, the credentials are refused, or virtual hosts cannot be created.
    """
    version = answering_version(broker_url)
    Vhosts(broker_url, management_url).check()
    return version


def answering_version(broker_url: str) -> str:
    """Return the version of the RabbitMQ that answers at that URL.

    Raises:
        Unusable: nobody answers, or the credentials are refused.
    """
    connection = Connection(broker_url, connect_timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    try:
        connection.connect()  # type: ignore[no-untyped-call]
        properties = connection.connection.server_properties
    except (OperationalError, *connection.connection_errors) as error:
        raise Unusable(str(error) or type(error).__name__) from error
    finally:
        connection.release()  # type: ignore[no-untyped-call]
    if properties.get("product") != "RabbitMQ":
        raise Unusable(f"the broker is {properties.get('product')!r}, not RabbitMQ")
    return str(properties["version"])


def mysql_version(url: str) -> tuple[str, str]:
    """Return the product, MySQL or MariaDB, and the version of a server in which we may create databases.

    Raises:
        Unusable: nobody answers, the credentials are refused, or the user may not create databases.
    """
    name = f"baton_probe_{uuid.uuid4().hex}"
    try:
        with mysql_connection(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            (version,) = cursor.fetchone() or ("",)
            # Rights to databases of some names only are told in too many ways to be read.
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"DROP DATABASE {name}")
    except pymysql.Error as error:
        raise Unusable(str(error.args[-1] if error.args else error)) from error
    number, _, rest = str(version).partition("-")
    return ("MariaDB" if "mariadb" in rest.lower() else "MySQL"), number


def mysql_connection(url: str) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """Return a connection to the server of that URL, whichever database it names."""
    parts = make_url(url)
    return pymysql.connect(
        host=parts.host,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        connect_timeout=CONNECT_SECONDS,
        autocommit=True,
    )


def redis_version(url: str) -> str:
    """Return the version of the Redis that answers at that URL.

    Raises:
        Unusable: nobody answers, or the password is refused.
    """
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS) as client:
            return str(client.info("server")["redis_version"])
    except redis.RedisError as error:
        raise Unusable(str(error)) from error


def conninfo(database_url: str) -> str:
    """Return SQLAlchemy's URL in the form that libpq reads."""
    return database_url.replace("postgresql+psycopg://", "postgresql://", 1)
