"""Runs a RabbitMQ of our own from installed programs: free ports, its own node name, a scratch directory."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from urllib.parse import quote

from deploy import process
from deploy.endpoint import ServerMissing, Unusable, free_ports, kept_password, new_password
from deploy.probe import answering_version

#: The settings with which Baton is deployed hold for private nodes too.
DEPLOYED = Path(__file__).parent / "rabbitmq" / "rabbitmq.conf"

#: Where packages keep the program itself; Debian's on PATH is a wrapper that changes user and directory.
HOMES = (
    "/usr/lib/rabbitmq/bin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)

#: Seconds until a node that was started must accept connections; small machines need about ten.
START_SECONDS = 120

#: Seconds until a node that was told to stop must be gone.
STOP_SECONDS = 30

USER = "baton"


def programs() -> Path | None:
    """Return the folder with ``rabbitmq-server`` and its sisters, or None."""
    for home in HOMES:
        if (Path(home) / "rabbitmq-server").exists():
            return Path(home)
    on_path = shutil.which("rabbitmq-server")
    return Path(on_path).resolve().parent if on_path else None


class PrivateRabbitmq:
    """One node in ``directory``, with the management plugin; what was stored there before is there after a restart."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self) -> tuple[str, str]:
        """Start the node and return its broker URL and the URL of its HTTP API.

        Raises:
            ServerMissing: it is not installed, or does not start; the text carries its own words.
        """
        folder = programs()
        if folder is None:
            raise ServerMissing("RabbitMQ is not installed: rabbitmq-server was not found.")
        self.directory.mkdir(parents=True, exist_ok=True)
        amqp, http, distribution, epmd = free_ports(4)
        password = kept_password(self.directory)
        self._configure(amqp, http, password)
        environment = self._environment(distribution, epmd)
        # The port mapper that Erlang would start by itself outlives the node; ours ends with it.
        self._start("epmd", [_erlang_program("epmd"), "-address", "127.0.0.1", "-port", str(epmd)], environment)
        node = self._start("node", [str(folder / "rabbitmq-server")], environment)
        broker_url = f"amqp://{USER}:{quote(password)}@127.0.0.1:{amqp}//"
        self._wait(node, broker_url)
        return broker_url, f"http://{USER}:{quote(password)}@127.0.0.1:{http}"

    def stop(self) -> None:
        """Stop the node, if it runs, and its port mapper."""
        running = {running.name: running for running in process.noted(self.directory)}
        for name in ("node", "epmd"):
            if name in running:
                process.end([running[name]], self.directory, STOP_SECONDS)

    def _configure(self, amqp: int, http: int, password: str) -> None:
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{amqp}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": http,
            "default_user": USER,
            "default_pass": password,
            "log.console": "true",
            "log.console.level": "warning",
            "log.file": "false",
        }
        config = self.directory / "rabbitmq.conf"
        config.touch(0o600)
        own = "".join(f"{name} = {value}\n" for name, value in lines.items())
        config.write_text(DEPLOYED.read_text() + "\n" + own)
        (self.directory / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.directory / "rabbitmq-env.conf").write_text("")
        cookie = self.directory / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(new_password())
            cookie.chmod(0o400)

    def _environment(self, distribution: int, epmd: int) -> dict[str, str]:
        here = str(self.directory)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")}
        return inherited | {
            "HOME": here,
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "baton@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{here}/generated",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{here}/rabbitmq-env.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{here}/pid",
        }

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> process.Process:
        return process.start(name, command, environment, self.directory, cwd=self.directory)

    def _wait(self, node: process.Process, broker_url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        why = "it did not answer"
        while time.monotonic() < deadline and node.alive():
            try:
                answering_version(broker_url)
            except Unusable as error:
                why = str(error)
                time.sleep(0.2)
            else:
                return
        words = process.last_words("node", self.directory)
        self.stop()
        raise ServerMissing(f"RabbitMQ did not start within {START_SECONDS} s ({why}):\n{words}")


def _erlang_program(name: str) -> str:
    """Return the path of a program that comes with Erlang, on PATH or beside Erlang's machine."""
    on_path = shutil.which(name)
    if on_path:
        return on_path
    places = [Path("/usr/lib/erlang/bin"), *Path("/usr/lib/erlang").glob("erts-*/bin")]
    places += [Path("/opt/homebrew/opt/erlang/bin"), Path("/usr/local/opt/erlang/bin")]
    for place in places:
        if (place / name).exists():
            return str(place / name)
    raise ServerMissing(f"Erlang's program {name} was not found; it comes with the package of Erlang.")
