"""Gives tests a RabbitMQ and a Postgres: one pair for the whole run, a fresh vhost and database for each test."""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
import structlog
from psycopg import sql

from deploy.endpoint import ServerMissing, Servers
from deploy.probe import conninfo
from deploy.vhosts import Vhosts

ROOT = Path(__file__).parent.parent

#: Fixtures whose use means that a test needs servers.
NEEDS = frozenset({"servers", "postgres_url", "rabbitmq_url"})


class Keeper:
    """Holds the process that provides the servers; it stops them when this run ends, in whatever way."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._outcome: Servers | ServerMissing | None = None

    def servers(self) -> Servers:
        """Return the servers, started at the first call; raise ServerMissing at every call when there are none."""
        if self._outcome is None:
            self._outcome = self._start()
        if isinstance(self._outcome, ServerMissing):
            raise self._outcome
        return self._outcome

    def started(self) -> Servers | None:
        """Return the servers if they were needed and are there."""
        return self._outcome if isinstance(self._outcome, Servers) else None

    def stop(self) -> None:
        """Stop the servers and wait until they are gone."""
        if self._process is not None:
            self._process.communicate(timeout=120)
            self._process = None

    def _start(self) -> Servers | ServerMissing:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.servers", "serve"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.startswith("{"):
            return Servers.from_json(line)
        words, _ = self._process.communicate()
        self._process = None
        return ServerMissing((line + words).strip() or "the servers could not be provided; the reason stands above")


KEEPER = pytest.StashKey[Keeper]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[KEEPER] = Keeper()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if NEEDS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


@pytest.hookimpl(trylast=True)
def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str:
    """Start the servers once the chosen tests are known to need them, outside of any test's own time limit."""
    if config.option.collectonly or not any(item.get_closest_marker("servers") for item in items):
        return "no test needs RabbitMQ or Postgres"
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        # What is installed or waited for is told while it happens.
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            return config.stash[KEEPER].servers().versions()
    except ServerMissing as missing:
        return f"no servers: {missing}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    servers = config.stash[KEEPER].started()
    if servers is not None:
        terminalreporter.write_line(f"ran against {servers.versions()}")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[KEEPER].stop()


@pytest.fixture(autouse=True)
def _logging_stays_with_its_test() -> Iterator[None]:
    """Undo what a test has set up for logging: its standard error may be a stand-in that is closed by now."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    for handler in logging.getLogger().handlers[:]:
        if type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Return the RabbitMQ and the Postgres of this run; fail with what to install when there are none."""
    try:
        return pytestconfig.stash[KEEPER].servers()
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def postgres_url(servers: Servers) -> Iterator[str]:
    """Return SQLAlchemy's URL of an empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(conninfo(servers.database_url), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
        connection.execute(create.format(sql.Identifier(name)))
        yield servers.database_url.rpartition("/")[0] + "/" + name
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def rabbitmq_url(servers: Servers) -> Iterator[str]:
    """Return the AMQP URL of an empty virtual host of this test's own."""
    vhosts = Vhosts(servers.broker_url, servers.management_url)
    name = f"test_{uuid.uuid4().hex}"
    yield vhosts.create(name)
    vhosts.delete(name)
