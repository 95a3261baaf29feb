"""Stacks of real processes for the acceptance tests; a test that fails shows what its processes said."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.endpoint import ServerMissing, Servers, free_ports
from deploy.probe import conninfo
from deploy.servers import provide, stop
from deploy.vhosts import Vhosts
from tests.acceptance.processes import Processes
from tests.acceptance.stack import Stack, vanilla
from tests.tcp_proxy import TcpProxy


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            processes = getattr(value, "processes", value)
            if isinstance(processes, Processes):
                report.sections += [(f"the end of {name}.log", log) for name, log in processes.last_words().items()]
    return report


@contextmanager
def own_database(servers: Servers) -> Iterator[str]:
    """Give an empty database that several tests share."""
    name = f"stack_{uuid.uuid4().hex}"
    with psycopg.connect(conninfo(servers.database_url), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
        connection.execute(create.format(sql.Identifier(name)))
        try:
            yield servers.database_url.rpartition("/")[0] + "/" + name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def own_servers(servers: Servers) -> Iterator[tuple[str, str]]:
    """Give an empty database and an empty virtual host that several tests share."""
    vhosts, name = Vhosts(servers.broker_url, servers.management_url), f"stack_{uuid.uuid4().hex}"
    with own_database(servers) as database_url:
        try:
            yield database_url, vhosts.create(name)
        finally:
            vhosts.delete(name)


@contextmanager
def whole_stack(folder: Path, database_url: str, broker_url: str, **settings: str) -> Iterator[Stack]:
    """Run every kind of process: two deciders, starter, timekeeper, server, system workers."""
    stack = Stack(folder, database_url, broker_url, **settings)
    try:
        services = [stack.baton(name) for name in ("decider", "decider", "starter", "timekeeper")]
        workers = [stack.baton("worker", kind, "-c", "1") for kind in ("http", "script", "event")]
        stack.serve()
        stack.ready(*services, *workers)
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="module")
def whole(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return every kind of process on RabbitMQ."""
    with (
        own_servers(servers) as (database_url, broker_url),
        whole_stack(tmp_path_factory.mktemp("whole"), database_url, broker_url) as stack,
    ):
        yield stack


@pytest.fixture(scope="module")
def redis_directory() -> Iterator[Path]:
    """Return the folder of a Redis that is a module's own: it may be wiped and restarted."""
    with tempfile.TemporaryDirectory(prefix="baton-redis-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def whole_on_redis(
    servers: Servers, redis_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return every kind of process on a Redis, behind a proxy because a restart gives it another port."""
    try:
        found = provide(redis_directory, ["redis"], private=True)
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    proxy = TcpProxy(f"{found['redis'].url}/0", 6379)
    try:
        with (
            own_database(servers) as database_url,
            whole_stack(tmp_path_factory.mktemp("redis"), database_url, proxy.url) as stack,
        ):
            yield stack
    finally:
        proxy.close()
        stop(redis_directory)


@pytest.fixture(scope="session")
def small(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return the least that runs workflows: decider, timekeeper and server, and a vanilla Celery worker."""
    with own_servers(servers) as (database_url, broker_url):
        spoken = {"BATON_GRPC_PORT": str(free_ports(1)[0])} if find_spec("grpc") else {}
        stack = Stack(tmp_path_factory.mktemp("small"), database_url, broker_url, **spoken)
        try:
            services = [stack.baton(name) for name in ("decider", "timekeeper")]
            worker = stack.celery("vanilla", "worker-vanilla", "-c", "2", "-Q", "add", "-E", **vanilla(stack))
            stack.serve()
            stack.ready(*services, worker)
            yield stack
        finally:
            stack.close()
