"""The real stack on this machine: servers, every kind of process, Flower; `python -m deploy.stack up` and `down`."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from psycopg import sql

from deploy import policies, private_postgres, process, servers
from deploy.dot_env import forget, write
from deploy.endpoint import ServerMissing, Servers, free_ports, new_password
from deploy.probe import conninfo
from deploy.vhosts import Vhosts
from engine.config import LOOPBACK

ROOT = Path(__file__).parent.parent
STATE = ROOT / ".baton"
DOT_ENV = ROOT / ".env"

#: Database and virtual host on servers that may serve others too.
NAME = "baton"

#: Seconds until the server must answer /health, and until every process must be gone after `down`.
UP_SECONDS = 60
DOWN_SECONDS = 45

BIN = Path(sys.executable).parent
BATON = str(BIN / "baton")
CELERY = str(BIN / "celery")

_DEMO_OPTIONS = ("-n", "demo@%h", "-E", "--without-gossip", "-l", "info", "-c", "2")

#: Every process of the stack: its name here and its command.
PROCESSES: Mapping[str, tuple[str, ...]] = {
    "server": (BATON, "server"),
    "decider-1": (BATON, "decider"),
    "decider-2": (BATON, "decider"),
    "starter": (BATON, "starter"),
    "timekeeper": (BATON, "timekeeper"),
    "listener": (BATON, "listener"),
    "notifier": (BATON, "notifier"),
    "worker-http": (BATON, "worker", "http"),
    "worker-script": (BATON, "worker", "script"),
    "worker-event": (BATON, "worker", "event"),
    # A name of its own: a worker that somebody starts beside it has Celery's usual one, and names must differ.
    "worker-demo": (CELERY, "-A", "demo.app:app", "worker", *_DEMO_OPTIONS),
    "flower": (CELERY, "-A", "demo.app:app", "flower", "--address=127.0.0.1"),
}


class NotUp(Exception):
    """The stack cannot be started; the text says why and what to do."""


def up() -> dict[str, str]:
    """Start the stack and return what `.env` now holds.

    Raises:
        NotUp: it runs already, or a process ended at once; the text carries its last words.
        ServerMissing: RabbitMQ or Postgres is missing and cannot be started.
    """
    if any(running.alive() for running in process.noted(STATE)):
        raise NotUp("The stack is up already (or half of it): `make down` first.")
    STATE.mkdir(exist_ok=True)
    try:
        found = servers.provide(_data_directory())
        print(f"Servers: {found.versions()}", flush=True)
        settings = _settings(found)
        write(DOT_ENV, {name: value for name, value in settings.items() if name.startswith("BATON_")})
        for name, command in PROCESSES.items():
            process.start(name, command, {**os.environ, **settings}, STATE, cwd=ROOT)
        _wait(settings["BATON_SERVER_URL"])
    except BaseException:
        down()
        raise
    return settings


def down() -> list[str]:
    """Stop the processes, then the servers that were started for them; return the names of what ran."""
    running = process.noted(STATE)
    process.end(running, STATE, DOWN_SECONDS)
    if STATE.exists():
        servers.stop(_data_directory())
    forget(DOT_ENV)
    return [one.name for one in running]


def _settings(found: Servers) -> dict[str, str]:
    """Return the environment of every process: settings of ours, and Flower's own."""
    port, flower = _port(8080), _port(5555)
    broker_url = Vhosts(found.broker_url, found.management_url).create(NAME)
    if found.management_url:
        policies.apply(found.management_url, NAME)
    else:
        print("RabbitMQ's HTTP API is off: task queues stay without the policy that keeps their dead letters.")
    settings = {
        "BATON_DATABASE_URL": _database(found.database_url),
        "BATON_BROKER_URL": broker_url,
        "BATON_HTTP_PORT": str(port),
        "BATON_SERVER_URL": f"http://127.0.0.1:{port}",
        # What the demo's workflows call runs on this machine.
        "BATON_OUTGOING_LOOPBACK_NETWORKS": LOOPBACK,
        "FLOWER_PORT": str(flower),
        # Flower can stop workers and run tasks: even on this machine it asks who is there.
        "FLOWER_BASIC_AUTH": f"baton:{new_password()}",
    }
    if found.management_url:
        settings["BATON_MANAGEMENT_URL"] = found.management_url
    return settings


def _database(url: str) -> str:
    """Return the URL of our database on that server, created if it is not there yet."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
        if there is None:
            create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
            connection.execute(create.format(sql.Identifier(NAME)))
    return urlunsplit(urlsplit(url)._replace(path=f"/{NAME}"))


def _port(wanted: int) -> int:
    """Return the wanted port, or another one where somebody listens on it already."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            return free_ports(1)[0]
    return wanted


def _data_directory() -> Path:
    """Return where started servers keep their data: in the project, unless their user may not enter it."""
    own = STATE / "servers"
    elsewhere = STATE / "servers-directory"
    if elsewhere.exists():
        return Path(elsewhere.read_text())
    own.mkdir(parents=True, exist_ok=True)
    if private_postgres.reachable(own):
        return own
    directory = Path(tempfile.mkdtemp(prefix="baton-", dir="/var/tmp"))
    directory.chmod(0o755)
    elsewhere.write_text(str(directory))
    return directory


def _wait(server_url: str) -> None:
    """Return when the server is healthy and every process still runs."""
    deadline = time.monotonic() + UP_SECONDS
    while not _healthy(server_url):
        _all_alive()
        if time.monotonic() > deadline:
            raise NotUp(f"The server does not answer {server_url}/health:\n{process.last_words('server', STATE)}")
        time.sleep(0.2)
    _all_alive()


def _healthy(server_url: str) -> bool:
    try:
        return httpx.get(f"{server_url}/health", timeout=2.0).is_success
    except httpx.HTTPError:
        return False


def _all_alive() -> None:
    ended = [running.name for running in process.noted(STATE) if not running.alive()]
    if ended:
        words = "\n".join(f"{name}:\n{process.last_words(name, STATE)}" for name in ended)
        raise NotUp(f"Ended right after the start: {', '.join(ended)}.\n{words}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=["up", "down"])
    if parser.parse_args().command == "down":
        print(f"Stopped: {', '.join(down()) or 'nothing was running'}.")
        return 0
    try:
        settings = up()
    except (NotUp, ServerMissing, policies.NotApplied) as error:
        print(error, file=sys.stderr)
        return 1
    user, _, password = settings["FLOWER_BASIC_AUTH"].partition(":")
    print(f"Baton:   {settings['BATON_SERVER_URL']}  (every `baton` command in this folder finds it by .env)")
    print(f"Flower:  http://127.0.0.1:{settings['FLOWER_PORT']}  user {user}, password {password}")
    print(f"Logs:    {STATE}/*.log; stop everything with `make down`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
