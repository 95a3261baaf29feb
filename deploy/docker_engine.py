"""Runs the servers of ``docker-compose.yml`` where a Docker engine answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.endpoint import ServerMissing, free_ports, new_password

COMPOSE_FILE = Path(__file__).parent.parent / "docker-compose.yml"

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


class ComposeServers:
    """Postgres and RabbitMQ of the compose file under a project name of their own, on free ports, without a trace."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._started: list[str] = []
        postgres, amqp, http = free_ports(3)
        password = new_password()
        self._environment = {
            "POSTGRES_PASSWORD": password,
            "RABBITMQ_PASSWORD": password,
            "FLOWER_PASSWORD": password,
            "POSTGRES_PORT": str(postgres),
            "RABBITMQ_PORT": str(amqp),
            "RABBITMQ_MANAGEMENT_PORT": str(http),
        }
        self.database_url = f"postgresql+psycopg://baton:{password}@127.0.0.1:{postgres}/baton"
        self.broker_url = f"amqp://baton:{password}@127.0.0.1:{amqp}//"
        self.management_url = f"http://baton:{password}@127.0.0.1:{http}"

    def start(self, service: str) -> None:
        """Start one of the services and return when it is healthy.

        Raises:
            ServerMissing: compose failed; the text carries its own words.
        """
        self._started.append(service)
        done = self._compose("up", "--detach", "--wait", service)
        if done.returncode != 0:
            raise ServerMissing(f"docker compose could not start {service}:\n{done.stderr[-2000:]}")

    def stop(self) -> None:
        """Remove what was started, data included."""
        if self._started:
            self._compose("down", "--volumes", "--remove-orphans")
            self._started.clear()

    def _compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", "-f", str(COMPOSE_FILE), "-p", self._project, *arguments],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )
