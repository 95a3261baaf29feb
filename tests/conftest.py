"""Gives tests the servers that they need: one of each kind for a run, a fresh database or vhost for each test."""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis
import structlog
from hypothesis import settings
from psycopg import sql

from deploy.endpoint import ServerMissing, Servers
from deploy.kinds import PAIR
from deploy.probe import conninfo, mysql_connection
from deploy.vhosts import Vhosts

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

ROOT = Path(__file__).parent.parent

# How long an example takes says something about the machine, and nothing about what is tested.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

#: Fixtures whose use means that a test needs servers, and which.
NEEDS = {
    "servers": PAIR,
    "postgres_url": PAIR,
    "rabbitmq_url": PAIR,
    "mysql_server": ("mysql",),
    "redis_url": ("redis",),
}

#: What is started together: nearly every test with servers needs both of the pair.
GROUPS = (PAIR, ("mysql",), ("redis",))


class Keeper:
    """Holds the process that provides a group of servers; it stops them when this run ends, in whatever way."""

    def __init__(self, kinds: tuple[str, ...], told: str | None = None) -> None:
        """Take what another keeper ``told`` of the same group: then its servers are used, and none are started."""
        self.kinds = kinds
        self._process: subprocess.Popen[str] | None = None
        self._told = told

    def servers(self) -> Servers:
        """Return the servers, started at the first call; raise ServerMissing at every call when there are none."""
        told = self.told()
        if not told.startswith("{"):
            raise ServerMissing(told)
        return Servers.from_json(told)

    def told(self) -> str:
        """Return the servers, started at the first call, as JSON, or what is missing as text."""
        if self._told is None:
            self._told = self._start()
        return self._told

    def started(self) -> Servers | None:
        """Return the servers if they were needed and are there."""
        return Servers.from_json(self._told) if self._told is not None and self._told.startswith("{") else None

    def stop(self) -> None:
        """Stop the servers and wait until they are gone."""
        if self._process is not None:
            self._process.communicate(timeout=120)
            self._process = None

    def _start(self) -> str:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.servers", "serve", *self.kinds],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.startswith("{"):
            return line
        words, _ = self._process.communicate()
        self._process = None
        return (line + words).strip() or "the servers could not be provided; the reason stands above"


KEEPERS = pytest.StashKey[dict[tuple[str, ...], Keeper]]()


def pytest_configure(config: pytest.Config) -> None:
    # What the controller of a parallel run told this process, if it is one of its workers.
    told = getattr(config, "workerinput", {}).get("servers", {})
    config.stash[KEEPERS] = {kinds: Keeper(kinds, told.get(" ".join(kinds))) for kinds in GROUPS}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Start every kind of server once for all workers, before any of them has said which tests there are."""
    for keeper in config.stash[KEEPERS].values():
        told = keeper.told()
        started = keeper.started()
        config.get_terminal_writer().line(started.versions() if started else f"no servers: {told}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput["servers"] = {
        " ".join(kinds): keeper.told() for kinds, keeper in node.config.stash[KEEPERS].items()
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, kinds in NEEDS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.servers(*kinds))


def _needed(items: Iterable[pytest.Item]) -> set[str]:
    """Return the kinds of server that these tests need; the mark without arguments means the pair."""
    return {kind for item in items for mark in item.iter_markers("servers") for kind in mark.args or PAIR}


@pytest.hookimpl(trylast=True)
def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Start the servers once the chosen tests are known to need them, outside of any test's own time limit."""
    needed = set() if config.option.collectonly else _needed(items)
    if not needed:
        return ["no test needs a server"]
    capture = config.pluginmanager.getplugin("capturemanager")
    told = []
    for keeper in config.stash[KEEPERS].values():
        if needed.isdisjoint(keeper.kinds):
            continue
        try:
            # What is installed or waited for is told while it happens.
            with capture.global_and_fixture_disabled() if capture else nullcontext():
                told.append(keeper.servers().versions())
        except ServerMissing as missing:
            told.append(f"no servers: {missing}")
    return told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    started = [servers.versions() for keeper in config.stash[KEEPERS].values() if (servers := keeper.started())]
    if started:
        terminalreporter.write_line(f"ran against {', '.join(started)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    for keeper in config.stash[KEEPERS].values():
        keeper.stop()


@pytest.fixture(autouse=True)
def _logging_stays_with_its_test() -> Iterator[None]:
    """Undo what a test has set up for logging: its standard error may be a stand-in that is closed by now."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    for handler in logging.getLogger().handlers[:]:
        if type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)


def _servers(config: pytest.Config, kinds: tuple[str, ...]) -> Servers:
    try:
        return config.stash[KEEPERS][kinds].servers()
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Return the RabbitMQ and the Postgres of this run; fail with what to install when there are none."""
    return _servers(pytestconfig, PAIR)


@pytest.fixture
def postgres_url(servers: Servers) -> Iterator[str]:
    """Return SQLAlchemy's URL of an empty database of this test's own."""
    with own_postgres(servers.database_url) as url:
        yield url


@contextmanager
def own_postgres(server: str) -> Iterator[str]:
    """Give an empty database for as long as it is needed."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
        connection.execute(create.format(sql.Identifier(name)))
        try:
            yield server.rpartition("/")[0] + "/" + name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def rabbitmq_url(servers: Servers) -> Iterator[str]:
    """Return the AMQP URL of an empty virtual host of this test's own."""
    vhosts = Vhosts(servers.broker_url, servers.management_url)
    name = f"test_{uuid.uuid4().hex}"
    yield vhosts.create(name)
    vhosts.delete(name)


@pytest.fixture(scope="session")
def mysql_server(pytestconfig: pytest.Config) -> str:
    """Return the URL of the MariaDB (or MySQL) of this run; fail with what to install when there is none."""
    return _servers(pytestconfig, ("mysql",))["mysql"].url.rstrip("/")


@pytest.fixture
def mysql_url(mysql_server: str) -> Iterator[str]:
    """Return the URL of an empty MariaDB (or MySQL) database of this test's own."""
    with own_mysql(mysql_server) as url:
        yield url


@contextmanager
def own_mysql(server: str) -> Iterator[str]:
    """Give an empty database for as long as it is needed."""
    name = f"test_{uuid.uuid4().hex}"
    with mysql_connection(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        with mysql_connection(server) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


#: Seconds after which a number of a Redis database is free again, should its test have died; no test takes as long.
CLAIM_SECONDS = 3600


@pytest.fixture
def redis_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Return the URL of an empty Redis database (a number) that is this test's alone."""
    url = _servers(pytestconfig, ("redis",))["redis"].url.rstrip("/")
    with redis.Redis.from_url(f"{url}/0") as first:
        number = _claimed(url, first)
        with redis.Redis.from_url(f"{url}/{number}") as own:
            yield f"{url}/{number}"
            own.flushdb()
        first.delete(f"baton.test.{number}")


def _claimed(url: str, first: redis.Redis) -> int:
    """Return the number of a database that holds nothing; a key in the first one says that it is taken."""
    count = int(first.config_get("databases")["databases"])
    for number in range(1, count):
        if not first.set(f"baton.test.{number}", "taken", nx=True, ex=CLAIM_SECONDS):
            continue
        with redis.Redis.from_url(f"{url}/{number}") as own:
            if own.dbsize() == 0:
                return number
        first.delete(f"baton.test.{number}")
    pytest.fail(f"The Redis at {url.rpartition('@')[2]} has no empty database: name another in BATON_TEST_REDIS_URL")
