"""Values that say where a server answers, which version it is, and how it came to be."""

from __future__ import annotations

import json
import secrets
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass


class ServerMissing(Exception):
    """No usable server was found and none could be started; the text says what to install or to set."""


class Unusable(Exception):
    """A server that does not answer, or that does not let us do what we need; the text says which."""


@dataclass(frozen=True)
class Servers:
    """A RabbitMQ and a Postgres that are ready for use.

    ``database_url`` is SQLAlchemy's, of a role that may create databases; ``broker_url`` belongs to a user who may
    create virtual hosts. ``management_url`` is RabbitMQ's HTTP API with its credentials, or None when it is off.
    ``*_origin`` tells how the server was found, for people.
    """

    database_url: str
    broker_url: str
    management_url: str | None
    postgres_version: str
    rabbitmq_version: str
    postgres_origin: str
    rabbitmq_origin: str

    def versions(self) -> str:
        """Return one line such as ``RabbitMQ 3.10.8 (private), PostgreSQL 15.20 (private)``."""
        return (
            f"RabbitMQ {self.rabbitmq_version} ({self.rabbitmq_origin}), "
            f"PostgreSQL {self.postgres_version} ({self.postgres_origin})"
        )

    def to_json(self) -> str:
        """Return the values as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Servers:
        """Read what ``to_json`` wrote."""
        return Servers(**json.loads(text))


def free_ports(count: int) -> list[int]:
    """Return that many different TCP ports which are free on the loopback address at this moment."""
    with ExitStack() as open_sockets:
        ports = []
        for _ in range(count):
            listener = open_sockets.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
        return ports


def new_password() -> str:
    """Return a password that nobody can guess, safe inside a URL."""
    return secrets.token_hex(16)
