"""Values that say where a server answers, which version it is, and how it came to be."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path


class ServerMissing(Exception):
    """No usable server was found and none could be started; the text says what to install or to set."""


class Unusable(Exception):
    """A server that does not answer, or that does not let us do what we need; the text says which."""


@dataclass(frozen=True)
class Server:
    """One server that is ready for use.

    ``url`` belongs to a user who may make what a test needs of its own: a database, a virtual host. ``product`` and
    ``version`` are what the server calls itself; ``origin`` tells people how it was found. ``management_url`` is
    RabbitMQ's HTTP API with its credentials, or None when it is off.
    """

    url: str
    product: str
    version: str
    origin: str
    management_url: str | None = None

    def __str__(self) -> str:
        return f"{self.product} {self.version} ({self.origin})"


@dataclass(frozen=True)
class Servers:
    """Servers that are ready for use, by their kind (``deploy.kinds``)."""

    by_kind: Mapping[str, Server]

    def __getitem__(self, kind: str) -> Server:
        return self.by_kind[kind]

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the Postgres, of a role that may create databases."""
        return self["postgres"].url

    @property
    def broker_url(self) -> str:
        """The URL of the RabbitMQ, of a user who may create virtual hosts."""
        return self["rabbitmq"].url

    @property
    def management_url(self) -> str | None:
        """RabbitMQ's HTTP API with its credentials, or None when it is off."""
        return self["rabbitmq"].management_url

    def versions(self) -> str:
        """Return one line such as ``RabbitMQ 3.10.8 (private), PostgreSQL 15.20 (private)``."""
        return ", ".join(map(str, self.by_kind.values()))

    def to_json(self) -> str:
        """Return the values as one line of JSON."""
        return json.dumps({kind: asdict(server) for kind, server in self.by_kind.items()})

    @staticmethod
    def from_json(text: str) -> Servers:
        """Read what ``to_json`` wrote."""
        return Servers({kind: Server(**fields) for kind, fields in json.loads(text).items()})


def free_ports(count: int) -> list[int]:
    """Return that many different TCP ports which are free on the loopback address at this moment."""
    with ExitStack() as open_sockets:
        ports = []
        for _ in range(count):
            listener = open_sockets.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
        return ports


def kept_password(directory: Path) -> str:
    """Return the password of the server in ``directory``, made at the first call: a server remembers its users."""
    kept = directory / "password"
    if not kept.exists():
        kept.touch(0o600)
        kept.write_text(new_password())
    return kept.read_text()


def new_password() -> str:
    """Return a password that nobody can guess, safe inside a URL."""
    return secrets.token_hex(16)
