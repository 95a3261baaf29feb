"""Servers are looked for in a fixed order, and a server that was named is never replaced by another one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy import servers as order
from deploy.endpoint import Servers, Unusable
from deploy.kinds import KINDS, MYSQL, POSTGRES, RABBITMQ, REDIS, Kind
from deploy.probe import conninfo, postgres_version

ROOT = Path(__file__).parents[2]


def asked(*kinds: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask for servers, and take back the question at once."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.servers", "serve", *kinds],
        cwd=ROOT,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def named(servers: Servers) -> dict[str, str]:
    return {
        POSTGRES.variable: servers.database_url,
        RABBITMQ.variable: servers.broker_url,
        order.MANAGEMENT_VARIABLE: servers.management_url or "",
    }


def test_named_servers_come_first(servers: Servers) -> None:
    answer = asked(**named(servers))
    found = Servers.from_json(answer.stdout)
    assert (found["postgres"].origin, found["rabbitmq"].origin) == ("named", "named")
    assert (found.database_url, found.broker_url) == (servers.database_url, servers.broker_url)


@pytest.mark.parametrize(
    ("kind", "url"), [(MYSQL, "mysql://nobody:wrong@127.0.0.1:1"), (REDIS, "redis://:wrong@127.0.0.1:1")]
)
def test_a_server_that_is_asked_for_by_its_kind_is_told_and_not_replaced_either(kind: Kind, url: str) -> None:
    answer = asked(kind.name, **{kind.variable: url})
    assert answer.returncode == 1
    assert answer.stdout.startswith(f"The server named by {kind.variable} cannot be used: ")
    assert "Traceback" not in answer.stderr


def test_a_kind_that_there_is_not_is_told_with_those_that_there_are() -> None:
    answer = asked("oracle")
    assert answer.returncode == 2
    assert "no such kind of server: oracle" in answer.stderr


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        (POSTGRES.variable, "postgresql+psycopg://nobody:wrong@127.0.0.1:1/postgres"),
        (RABBITMQ.variable, "amqp://nobody:wrong@127.0.0.1:1//"),
    ],
)
def test_a_named_server_that_cannot_be_used_is_told_and_not_replaced(servers: Servers, variable: str, url: str) -> None:
    answer = asked(**(named(servers) | {variable: url}))
    assert answer.returncode == 1
    assert answer.stdout.startswith(f"The server named by {variable} cannot be used: ")
    assert "Traceback" not in answer.stderr


def test_servers_on_the_standard_ports_come_next(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in named(servers):
        monkeypatch.delenv(variable, raising=False)
    databases = ("postgresql+psycopg://no@127.0.0.1:1/", servers.database_url)
    monkeypatch.setitem(KINDS, POSTGRES.name, replace(POSTGRES, standard=databases))
    brokers = ("amqp://no:no@127.0.0.1:1//", servers.broker_url)
    monkeypatch.setitem(KINDS, RABBITMQ.name, replace(RABBITMQ, standard=brokers))
    monkeypatch.setattr("deploy.vhosts.Vhosts._default_api", lambda _: servers.management_url)
    found = order.provide(tmp_path)
    assert (found["postgres"].origin, found["rabbitmq"].origin) == ("on its standard port", "on its standard port")
    assert found.management_url == servers.management_url


def test_a_role_that_may_not_create_databases_is_of_no_use(servers: Servers, postgres_url: str) -> None:
    role = "only_looks_" + postgres_url[-8:]
    with psycopg.connect(conninfo(servers.database_url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(role)))
        try:
            host = postgres_url.rpartition("@")[2]
            with pytest.raises(Unusable, match="may not create databases: ALTER ROLE only_looks_"):
                postgres_version(f"postgresql+psycopg://{role}:x@{host}")
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
