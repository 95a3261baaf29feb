"""Runs the servers of ``docker-compose.yml`` where a Docker engine answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from deploy.endpoint import ServerMissing, free_ports, new_password

COMPOSE_FILE = Path(__file__).parent.parent / "docker-compose.yml"

#: Where the passwords and ports are noted.
NOTES = "compose.json"

#: Seconds to pull the images and see both servers healthy.
UP_SECONDS = 600


def answers() -> bool:
    """Tell whether an engine, not just the client, is there, and whether it knows compose."""
    if shutil.which("docker") is None:
        return False
    # `docker --version` answers without an engine; `docker version` asks the engine for its own.
    questions = (["docker", "version", "--format", "{{.Server.Version}}"], ["docker", "compose", "version"])
    try:
        return all(
            subprocess.run(question, capture_output=True, timeout=15, check=False).returncode == 0
            for question in questions
        )
    except subprocess.TimeoutExpired:
        return False


def was_used(directory: Path) -> bool:
    """Tell whether servers were started in Docker with this directory."""
    return (directory / NOTES).exists()


class ComposeServers:
    """Postgres and RabbitMQ of the compose file, under a project name of their own and on free ports.

    ``directory`` keeps the passwords and ports, so that a later start finds the data of an earlier one.
    """

    def __init__(self, project: str, directory: Path) -> None:
        self._project = project
        self._notes = directory / NOTES
        if not self._notes.exists():
            directory.mkdir(parents=True, exist_ok=True)
            self._notes.touch(0o600)
            self._notes.write_text(json.dumps(_choices()))
        self._environment: dict[str, str] = json.loads(self._notes.read_text())
        password = self._environment["POSTGRES_PASSWORD"]
        self.database_url = (
            f"postgresql+psycopg://baton:{password}@127.0.0.1:{self._environment['POSTGRES_PORT']}/baton"
        )
        at_rabbitmq = f"baton:{self._environment['RABBITMQ_PASSWORD']}@127.0.0.1"
        self.broker_url = f"amqp://{at_rabbitmq}:{self._environment['RABBITMQ_PORT']}//"
        self.management_url = f"http://{at_rabbitmq}:{self._environment['RABBITMQ_MANAGEMENT_PORT']}"

    def start(self, service: str) -> None:
        """Start one of the services and return when it is healthy.

        Raises:
            ServerMissing: compose failed; the text carries its own words.
        """
        done = self._compose("up", "--detach", "--wait", service)
        if done.returncode != 0:
            raise ServerMissing(f"docker compose could not start {service}:\n{done.stderr[-2000:]}")

    def stop(self) -> None:
        """Stop what was started; the data stays."""
        self._compose("down")

    def remove(self) -> None:
        """Stop what was started and delete its data."""
        self._compose("down", "--volumes")
        self._notes.unlink(missing_ok=True)

    def _compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", "-f", str(COMPOSE_FILE), "-p", self._project, *arguments],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )


def _choices() -> dict[str, str]:
    postgres, amqp, http = free_ports(3)
    return {
        "POSTGRES_PASSWORD": new_password(),
        "RABBITMQ_PASSWORD": new_password(),
        "FLOWER_PASSWORD": new_password(),
        "POSTGRES_PORT": str(postgres),
        "RABBITMQ_PORT": str(amqp),
        "RABBITMQ_MANAGEMENT_PORT": str(http),
    }
