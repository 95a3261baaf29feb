"""The two servers of the chaos, which belong to it alone: restarted, killed, frozen and wiped."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from deploy import policies, process, servers
from deploy.endpoint import Servers
from deploy.private_postgres import PrivatePostgres
from deploy.private_rabbitmq import PrivateRabbitmq
from deploy.vhosts import Vhosts
from tests.tcp_proxy import TcpProxy

_VHOST = "chaos"


class PrivatePair:
    """A RabbitMQ and a Postgres behind proxies: a restart gives them other ports, which nobody notices."""

    def __init__(self, directory: Path, found: Servers) -> None:
        self.versions = found.versions()
        assert found.management_url is not None
        self.broker_url = _prepared(found.broker_url, found.management_url)
        self.database_url = found.database_url
        self.broker = TcpProxy(self.broker_url, 5672)
        self.database = TcpProxy(found.database_url, 5432)
        self._rabbitmq = PrivateRabbitmq(directory / "rabbitmq")
        self._postgres = PrivatePostgres(directory / "postgres")

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[PrivatePair]:
        """Give both servers, which leave nothing behind."""
        directory = Path(tempfile.mkdtemp(prefix="baton-chaos-", dir="/var/tmp"))
        directory.chmod(0o755)
        try:
            yield cls(directory, servers.provide(directory, private=True))
        finally:
            servers.stop(directory)
            shutil.rmtree(directory, ignore_errors=True)

    def stop_broker(self, kill: bool = False) -> None:
        """Stop RabbitMQ in order, or as a machine that loses its power."""
        self.broker.shut()
        if kill:
            for each in self._broker_processes():
                each.send_signal(signal.SIGKILL)
        self._rabbitmq.stop()

    def start_broker(self, wiped: bool = False) -> None:
        """Start RabbitMQ again, on its data or on an empty disk."""
        if wiped:
            shutil.rmtree(self._rabbitmq.directory / "mnesia")
        self.broker_url = _prepared(*self._rabbitmq.start())
        self.broker.open(self.broker_url)

    def stop_database(self, kill: bool = False) -> None:
        """Stop Postgres in order, or as a machine that loses its power."""
        self.database.shut()
        if kill:
            processes = self._database_processes()
            for each in processes:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGKILL)
            psutil.wait_procs(processes, 10)
        else:
            self._postgres.stop()

    def start_database(self) -> None:
        """Start Postgres again on its data."""
        self.database_url = self._postgres.start()
        self.database.open(self.database_url)

    def tell_broker(self, number: signal.Signals) -> None:
        """Send a signal to all of RabbitMQ, to freeze or to thaw it."""
        _tell(self._broker_processes(), number)

    def tell_database(self, number: signal.Signals) -> None:
        """Send a signal to all of Postgres, to freeze or to thaw it."""
        _tell(self._database_processes(), number)

    def _broker_processes(self) -> list[psutil.Process]:
        noted = next(each for each in process.noted(self._rabbitmq.directory) if each.name == "node")
        return _family(noted.pid)

    def _database_processes(self) -> list[psutil.Process]:
        pid = (self._postgres.directory / "data" / "postmaster.pid").read_text().split()[0]
        return _family(int(pid))


def _prepared(broker_url: str, management_url: str) -> str:
    """Create what an administrator prepares, virtual host and policies, unless it is there; return its URL."""
    own = Vhosts(broker_url, management_url).create(_VHOST)
    policies.apply(management_url, _VHOST)
    return own


def _family(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it."""
    head = psutil.Process(pid)
    return [head, *head.children(recursive=True)]


def _tell(processes: list[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(number)
