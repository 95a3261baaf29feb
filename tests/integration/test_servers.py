"""The servers of the test suite are real, durable and clean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import kombu
import psycopg
import pytest

from deploy.endpoint import Servers, Unusable
from deploy.probe import answering_version, conninfo, postgres_version
from deploy.vhosts import Vhosts

ROOT = Path(__file__).parents[2]


def test_a_database_is_empty_and_durable(postgres_url: str) -> None:
    with psycopg.connect(conninfo(postgres_url)) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    assert tables == (0,)
    assert settings == [("on",), ("on",)]


def test_a_virtual_host_carries_messages(rabbitmq_url: str) -> None:
    with kombu.Connection(rabbitmq_url) as connection, connection.SimpleQueue("greetings") as queue:
        queue.put({"hello": "rabbit"})
        message = queue.get(timeout=10)
        assert message.payload == {"hello": "rabbit"}
        message.ack()


def test_a_deleted_virtual_host_is_gone(servers: Servers) -> None:
    vhosts = Vhosts(servers.broker_url, servers.management_url)
    url = vhosts.create("test_gone")
    assert answering_version(url) == servers.rabbitmq_version
    vhosts.delete("test_gone")
    with pytest.raises(Unusable):
        answering_version(url)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_private_servers_end_with_the_run_that_asked_for_them(end: signal.Signals) -> None:
    # Given a process that asks for servers of its own.
    asks = (
        "import subprocess, sys, time; command = [sys.executable, '-m', 'deploy.servers', 'serve', '--private'];"
        "subprocess.Popen(command, stdin=subprocess.PIPE); time.sleep(600)"
    )
    asking = subprocess.Popen([sys.executable, "-c", asks], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    assert asking.stdout is not None
    servers = Servers.from_json(asking.stdout.readline().decode())
    assert servers.postgres_origin == servers.rabbitmq_origin == "private"
    # When it is killed.
    os.kill(asking.pid, end)
    # Then the provider closes its output, and by then the servers are gone.
    assert asking.stdout.read() == b""
    asking.wait()
    with pytest.raises(Unusable):
        postgres_version(servers.database_url)
    with pytest.raises(Unusable):
        answering_version(servers.broker_url)
