"""Every process may reach Postgres through a PgBouncer that gives each transaction another of its few sessions."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from deploy import packages
from deploy.endpoint import ServerMissing, Servers, free_ports
from deploy.probe import conninfo
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow

#: Fewer than there are processes, so that they have to share.
SESSIONS = 2

RUNS = 40


def program() -> str:
    """Return PgBouncer's path, installed if need be."""
    if (found := shutil.which("pgbouncer")) is None:
        try:
            packages.install(["pgbouncer"])
        except ServerMissing as missing:
            pytest.fail(str(missing), pytrace=False)
        found = shutil.which("pgbouncer")
    assert found is not None
    return found


@contextmanager
def pgbouncer(database_url: str, folder: Path) -> Iterator[str]:
    """Give the URL of a PgBouncer before the server of this database."""
    server, port = make_url(database_url), free_ports(1)[0]
    config = folder / "pgbouncer.ini"
    config.touch(0o600)
    config.write_text(
        f"""[databases]
* = host={server.host} port={server.port} user={server.username} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SESSIONS}
"""
    )
    # It will not run as root.
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([program(), *as_whom, str(config)], stdin=subprocess.DEVNULL, stderr=log)
    url = server.set(host="127.0.0.1", port=port).update_query_dict({"pgbouncer": "true"})

    def answers() -> bool:
        try:
            psycopg.connect(conninfo(url.difference_update_query(["pgbouncer"]).render_as_string(False))).close()
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "pgbouncer.log").read_text()
            return False
        return True

    until("PgBouncer answers", answers)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return two deciders, timekeeper, server and a worker; whoever asks the database asks PgBouncer."""
    folder = tmp_path_factory.mktemp("pgbouncer")
    with own_servers(servers) as (database_url, broker_url), pgbouncer(database_url, folder) as url:
        stack = Stack(folder, url, broker_url)
        try:
            services = [stack.baton(name) for name in ("decider", "decider", "timekeeper")]
            worker = stack.celery("vanilla", "worker-vanilla", "-c", "2", "-Q", "add", "-E", **vanilla(stack))
            stack.serve()
            stack.ready(*services, worker)
            yield stack
        finally:
            stack.close()


def test_runs_go_their_way_on_fewer_sessions_than_processes(stack: Stack, servers: Servers) -> None:
    waits = {"name": "rest", "taskReferenceName": "rest", "type": "WAIT", "inputParameters": {"duration": "1 s"}}
    second = {**simple("add", left="${add.output.sum}", right=1), "taskReferenceName": "again"}
    stack.define(workflow("sums", simple("add", left=1, right=2), waits, second), tasks=[task_def("add")])
    started = [stack.start("sums") for _ in range(RUNS)]

    ended = [stack.ended(each) for each in started]

    assert {run["status"] for run in ended} == {"COMPLETED"}
    assert {run["tasks"][-1]["outputData"]["sum"] for run in ended} == {4}
    with psycopg.connect(conninfo(servers.database_url)) as connection:
        count = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE datname = {}")
        name = str(make_url(stack.database_url).database)
        found = connection.execute(count.format(sql.Literal(name))).fetchone()
    assert found is not None
    assert 0 < found[0] <= SESSIONS
