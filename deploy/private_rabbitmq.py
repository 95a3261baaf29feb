"""Runs a RabbitMQ of our own from installed programs: free ports, its own node name, a scratch directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from deploy.endpoint import ServerMissing, Unusable, free_ports, new_password
from deploy.probe import answering_version

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
        self._pids = directory / "pids"

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
        password = self._password()
        self._configure(amqp, http, password)
        environment = self._environment(distribution, epmd)
        # The port mapper that Erlang would start by itself outlives the node; ours is a child that we can end.
        mapper = self._spawn(["epmd", "-address", "127.0.0.1", "-port", str(epmd)], environment, "epmd.out")
        node = self._spawn([str(folder / "rabbitmq-server")], environment, "node.out")
        self._pids.write_text(f"{node.pid}\n{mapper.pid}\n")
        broker_url = f"amqp://{USER}:{quote(password)}@127.0.0.1:{amqp}//"
        self._wait(node, broker_url)
        return broker_url, f"http://{USER}:{quote(password)}@127.0.0.1:{http}"

    def stop(self) -> None:
        """Stop the node, if it runs, and its port mapper."""
        if not self._pids.exists():
            return
        for pid in [int(line) for line in self._pids.read_text().split()]:
            _end(pid)
        self._pids.unlink()

    def _password(self) -> str:
        """Return the user's password: a node remembers its users, so the first one stays."""
        kept = self.directory / "password"
        if not kept.exists():
            kept.touch(0o600)
            kept.write_text(new_password())
        return kept.read_text()

    def _configure(self, amqp: int, http: int, password: str) -> None:
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{amqp}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": http,
            "default_user": USER,
            "default_pass": password,
            # A task may take longer than RabbitMQ's own thirty minutes (milliseconds).
            "consumer_timeout": 24 * 60 * 60 * 1000,
            "log.console": "true",
            "log.console.level": "warning",
            "log.file": "false",
        }
        config = self.directory / "rabbitmq.conf"
        config.touch(0o600)
        config.write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
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

    def _spawn(self, command: list[str], environment: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        program = shutil.which(command[0]) or _erlang_program(command[0])
        with (self.directory / log).open("wb") as output:
            return subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=environment,
                start_new_session=True,
            )

    def _wait(self, node: subprocess.Popen[bytes], broker_url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        why = "it did not answer"
        while time.monotonic() < deadline and node.poll() is None:
            try:
                answering_version(broker_url)
            except Unusable as error:
                why = str(error)
                time.sleep(0.2)
            else:
                return
        words = (self.directory / "node.out").read_text(errors="replace")[-3000:]
        self.stop()
        raise ServerMissing(f"RabbitMQ did not start within {START_SECONDS} s ({why}):\n{words}")


def _erlang_program(name: str) -> str:
    """Return the path of a program that Erlang keeps beside its machine, where it is not on PATH."""
    places = [Path("/usr/lib/erlang/bin"), *Path("/usr/lib/erlang").glob("erts-*/bin")]
    places += [Path("/opt/homebrew/opt/erlang/bin"), Path("/usr/local/opt/erlang/bin")]
    for place in places:
        if (place / name).exists():
            return str(place / name)
    raise ServerMissing(f"Erlang's program {name} was not found; it comes with the package of Erlang.")


def _end(pid: int) -> None:
    """End the process group that ``pid`` leads: politely, then by force."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            os.killpg(pid, 0)
            time.sleep(0.05)
        os.killpg(pid, signal.SIGKILL)
