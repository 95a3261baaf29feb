"""The stack under measurement: private servers, one decider, one Celery worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from benchmarks.cpu import serving
from deploy import policies
from deploy.endpoint import Servers
from deploy.probe import mysql_connection
from deploy.servers import provided
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import Store

_NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Stack:
    """What is running: where it answers, and which processes it consists of."""

    servers: Servers
    #: The kind of server that keeps the runs, and of the one that carries the messages.
    database: str
    broker: str
    database_url: str
    store: Store
    logs: Path

    @property
    def broker_url(self) -> str:
        """Where the messages go."""
        return self.servers[self.broker].url

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the stack is told."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("BATON_")},
            "BATON_DATABASE_URL": self.database_url,
            "BATON_BROKER_URL": self.broker_url,
            "BATON_LOG_LEVEL": "warning",
        }

    def server_processes(self) -> dict[str, list[int]]:
        """Return the processes of the database and of the broker."""
        database = urlsplit(self.database_url).port or 0
        broker = urlsplit(self.broker_url).port or 5672
        return {"database": serving(database), self.broker: serving(broker)}

    @contextmanager
    def process(self, name: str, *command: str, more: Mapping[str, str] = _NOTHING_MORE) -> Iterator[int]:
        """Run a process of the stack, told a little more if need be; yield its id, end it afterwards."""
        with (self.logs / f"{name}.log").open("ab") as log:
            environment = {**self.environment, **more}
            running = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield running.pid
            finally:
                running.terminate()
                try:
                    running.wait(30)
                except subprocess.TimeoutExpired:
                    running.kill()
                    running.wait()

    def decider(self) -> AbstractContextManager[int]:
        """Run one decider; a context manager that yields its process id."""
        return self.baton("decider")

    def baton(self, service: str, *options: str) -> AbstractContextManager[int]:
        """Run one of the engine's services; a context manager that yields its process id."""
        return self.process(service, str(Path(sys.executable).with_name("baton")), service, *options)

    def python(self, name: str, *arguments: str) -> AbstractContextManager[int]:
        """Run Python; a context manager that yields its process id."""
        return self.process(name, sys.executable, *arguments)

    def worker(
        self,
        prefetch_multiplier: int,
        app: str = "benchmarks.worker",
        queues: str = "empty,fibo",
        more: Mapping[str, str] = _NOTHING_MORE,
    ) -> AbstractContextManager[int]:
        """Run a Celery worker with eight threads; a context manager that yields its process id."""
        return self.process(
            f"{app}-{prefetch_multiplier}",
            sys.executable, "-m", "celery", "-A", app, "worker", "-P", "threads", "-c", "8",
            "--prefetch-multiplier", str(prefetch_multiplier), "-Q", queues, "-l", "WARNING",
            # Two of one name would take each other's remote control.
            "-n", f"{app}@%h",
            more=more,
        )  # fmt: skip


@contextmanager
def running(logs: Path, database: str, broker: str = "rabbitmq") -> Iterator[Stack]:
    """Provide private servers of these kinds, with empty tables."""
    with provided((broker, database), private=True) as servers:
        url = servers[database].url
        if database == "mysql":
            url = _with_database(url)
        migrate(url)
        management = servers[broker].management_url
        if management is not None:
            # What is measured is what is deployed.
            policies.apply(management, policies.vhost_of(servers[broker].url))
        store = open_store(url)
        try:
            yield Stack(servers, database, broker, url, store, logs)
        finally:
            store.close()


def _with_database(url: str) -> str:
    """Create a database on a MariaDB and return its URL."""
    with mysql_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE baton")
    return f"{url}/baton"
