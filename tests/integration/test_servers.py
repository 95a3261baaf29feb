"""The servers of the test suite are real, durable and clean."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import psycopg
import pytest
import redis

from deploy import policies
from deploy.endpoint import Servers, Unusable
from deploy.kinds import MYSQL, REDIS, Kind
from deploy.probe import answering_version, conninfo, mysql_connection, postgres_version
from deploy.vhosts import Vhosts
from engine.broker import topology
from engine.wire.message import DEAD_QUEUE

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
        message = queue.get(timeout=60)
        assert message.payload == {"hello": "rabbit"}
        message.ack()


def test_a_mysql_database_is_empty_and_durable(mysql_url: str) -> None:
    with mysql_connection(mysql_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = %s", [database(mysql_url)])
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT @@innodb_flush_log_at_trx_commit")
        assert cursor.fetchone() == (1,)


def test_a_redis_database_is_empty_and_taken_by_nobody_else(redis_url: str, pytestconfig: pytest.Config) -> None:
    with redis.Redis.from_url(redis_url) as own:
        assert own.dbsize() == 0
        own.set("greeting", "hello")
        assert own.get("greeting") == b"hello"
    taken = f"baton.test.{database(redis_url)}"
    with redis.Redis.from_url(redis_url.rpartition("/")[0] + "/0") as first:
        assert first.get(taken) == b"taken"


@pytest.mark.parametrize("kind", [MYSQL, REDIS], ids=lambda kind: kind.name)
def test_a_private_server_keeps_its_data_when_it_is_started_again(kind: Kind) -> None:
    directory = Path(tempfile.mkdtemp(prefix="baton-"))
    directory.chmod(0o755)
    try:
        passwords = set()
        for kept in (False, True):
            url, _ = kind.start(directory)
            passwords.add(urlsplit(url).password)
            assert remembers(url) is kept
            kind.private(directory).stop()
            with pytest.raises(Unusable):
                kind.look(url, None, "private")
        assert len(passwords) == 1
    finally:
        kind.private(directory).stop()
        shutil.rmtree(directory)


def remembers(url: str) -> bool:
    """Tell whether the server was asked this before."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            return client.set("asked", "yes", get=True) is not None
    with mysql_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'asked'")
        before = cursor.fetchone() is not None
        cursor.execute("CREATE DATABASE IF NOT EXISTS asked")
        return before


def database(url: str) -> str:
    return url.rpartition("/")[2]


def test_a_deleted_virtual_host_is_gone(servers: Servers) -> None:
    vhosts = Vhosts(servers.broker_url, servers.management_url)
    url = vhosts.create("test_gone")
    assert answering_version(url) == servers["rabbitmq"].version
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
    try:
        servers = Servers.from_json(asking.stdout.readline().decode())
        assert [server.origin for server in servers.by_kind.values()] == ["private", "private"]
    finally:
        # When it is killed.
        os.kill(asking.pid, end)
    # Then the provider closes its output, and by then the servers are gone.
    assert asking.stdout.read() == b""
    asking.wait()
    with pytest.raises(Unusable):
        postgres_version(servers.database_url)
    with pytest.raises(Unusable):
        answering_version(servers.broker_url)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_a_provider_that_is_told_to_end_stops_its_servers_first(end: signal.Signals) -> None:
    command = [sys.executable, "-m", "deploy.servers", "serve", "--private"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdout is not None
        servers = Servers.from_json(provider.stdout.readline())
        provider.send_signal(end)
        provider.send_signal(end)
        assert provider.wait(timeout=60) == 0
    with pytest.raises(Unusable):
        postgres_version(servers.database_url)
    with pytest.raises(Unusable):
        answering_version(servers.broker_url)


def test_a_rejected_task_goes_to_the_dead_letters_by_policy(servers: Servers, rabbitmq_url: str) -> None:
    # Given a virtual host with our policies, and the queues as the engine declares them.
    management_url = Vhosts(rabbitmq_url, servers.management_url).management_url()
    assert management_url, "RabbitMQ's HTTP API is needed: rabbitmq-plugins enable rabbitmq_management"
    policies.apply(management_url, policies.vhost_of(rabbitmq_url))
    with kombu.Connection(rabbitmq_url) as connection:
        channel = connection.channel()
        for declared in (topology.queue("resize"), topology.queue(DEAD_QUEUE)):
            channel.queue_declare(declared.name, durable=True, auto_delete=False, arguments=dict(declared.arguments))
        # When a task is rejected.
        connection.Producer().publish({"n": 1}, routing_key="resize")
        with connection.SimpleQueue(kombu.Queue("resize", no_declare=True, channel=channel)) as tasks:
            tasks.get(timeout=60).reject()
        # Then it waits among the dead letters, with where it came from.
        with connection.SimpleQueue(kombu.Queue(DEAD_QUEUE, no_declare=True, channel=channel)) as dead:
            letter = dead.get(timeout=60)
            letter.ack()
    assert letter.headers["x-first-death-queue"] == "resize"
