"""Finds a RabbitMQ and a Postgres, or starts them: `python -m deploy.servers --help`.

Each of the two is looked for in the same order: named by an environment variable; on its standard port with the
default credentials; in Docker, if an engine answers; a private server from installed programs; the same after
installing Debian's packages, if we may. Otherwise the text of ``ServerMissing`` says what to install.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from deploy import docker_engine, packages, private_postgres, private_rabbitmq, probe
from deploy.endpoint import ServerMissing, Servers, Unusable
from deploy.vhosts import Vhosts

DATABASE_VARIABLE = "BATON_TEST_DATABASE_URL"
BROKER_VARIABLE = "BATON_TEST_BROKER_URL"
MANAGEMENT_VARIABLE = "BATON_TEST_MANAGEMENT_URL"

#: What a freshly installed Postgres, or one that was prepared for Baton, lets in on its standard port.
STANDARD_DATABASES = (
    "postgresql+psycopg://baton:baton@localhost:5432/postgres",
    "postgresql+psycopg://postgres:postgres@localhost:5432/postgres",
    "postgresql+psycopg://postgres@localhost:5432/postgres",
)
STANDARD_BROKERS = (
    "amqp://baton:baton@localhost:5672//",
    "amqp://guest:guest@localhost:5672//",
)

#: Where we came from and what we are: (URL, management URL or None, version, origin).
Found = tuple[str, str | None, str, str]


def provide(directory: Path, *, private: bool = False) -> Servers:
    """Find or start both servers; those that were started run until ``stop(directory)``.

    ``directory`` holds the data of started servers; with ``private`` no server is looked for that runs already.

    Raises:
        ServerMissing: a server is missing and cannot be started; the text says what to install or mend.
    """
    postgres = None if private else _running_postgres()
    rabbitmq = None if private else _running_rabbitmq()
    try:
        if not private and docker_engine.answers():
            compose = _compose(directory)
            postgres = postgres or _postgres_in(compose)
            rabbitmq = rabbitmq or _rabbitmq_in(compose)
        _install_what_is_missing(postgres, rabbitmq)
        postgres = postgres or _private_postgres(directory)
        rabbitmq = rabbitmq or _private_rabbitmq(directory)
    except BaseException:
        stop(directory)
        raise
    database_url, _, postgres_version, postgres_origin = postgres
    broker_url, management_url, rabbitmq_version, rabbitmq_origin = rabbitmq
    return Servers(
        database_url=database_url,
        broker_url=broker_url,
        management_url=management_url,
        postgres_version=postgres_version,
        rabbitmq_version=rabbitmq_version,
        postgres_origin=postgres_origin,
        rabbitmq_origin=rabbitmq_origin,
    )


def stop(directory: Path) -> None:
    """Stop the servers that were started with this directory; their data stays in it."""
    private_rabbitmq.PrivateRabbitmq(directory / "rabbitmq").stop()
    private_postgres.PrivatePostgres(directory / "postgres").stop()
    if docker_engine.was_used(directory):
        _compose(directory).stop()


@contextmanager
def provided(*, private: bool = False) -> Iterator[Servers]:
    """Provide both servers for the length of a ``with`` block, leaving nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="baton-"))
    directory.chmod(0o755)
    try:
        yield provide(directory, private=private)
    finally:
        if docker_engine.was_used(directory):
            _compose(directory).remove()
        stop(directory)
        shutil.rmtree(directory, ignore_errors=True)


def _compose(directory: Path) -> docker_engine.ComposeServers:
    return docker_engine.ComposeServers(f"baton-{zlib.crc32(str(directory).encode()):x}", directory)


def _running_postgres() -> Found | None:
    named = os.environ.get(DATABASE_VARIABLE)
    if named:
        return _named(DATABASE_VARIABLE, partial(_seen_postgres, named, "named"))
    return _first(partial(_seen_postgres, url, "on its standard port") for url in STANDARD_DATABASES)


def _running_rabbitmq() -> Found | None:
    named, management = os.environ.get(BROKER_VARIABLE), os.environ.get(MANAGEMENT_VARIABLE)
    if named:
        return _named(BROKER_VARIABLE, partial(_seen_rabbitmq, named, management, "named"))
    return _first(partial(_seen_rabbitmq, url, None, "on its standard port") for url in STANDARD_BROKERS)


def _postgres_in(compose: docker_engine.ComposeServers) -> Found:
    compose.start("postgres")
    return _seen_postgres(compose.database_url, "in Docker")


def _rabbitmq_in(compose: docker_engine.ComposeServers) -> Found:
    compose.start("rabbitmq")
    return _seen_rabbitmq(compose.broker_url, compose.management_url, "in Docker")


def _install_what_is_missing(postgres: Found | None, rabbitmq: Found | None) -> None:
    """Install both in one go, so that somebody who has to do it by hand is told once."""
    missing = []
    if rabbitmq is None and private_rabbitmq.programs() is None:
        missing.append("rabbitmq-server")
    if postgres is None and private_postgres.programs() is None:
        missing.append("postgresql")
    if missing:
        packages.install(missing)


def _private_postgres(directory: Path) -> Found:
    return _seen_postgres(private_postgres.PrivatePostgres(directory / "postgres").start(), "private")


def _private_rabbitmq(directory: Path) -> Found:
    url, management_url = private_rabbitmq.PrivateRabbitmq(directory / "rabbitmq").start()
    return _seen_rabbitmq(url, management_url, "private")


def _seen_postgres(url: str, origin: str) -> Found:
    return url, None, probe.postgres_version(url), origin


def _seen_rabbitmq(url: str, management_url: str | None, origin: str) -> Found:
    version = probe.rabbitmq_version(url, management_url)
    return url, Vhosts(url, management_url).management_url(), version, origin


def _named(variable: str, look: Callable[[], Found]) -> Found:
    """Use the server that the user named, or say why it cannot be used: never another one in its place."""
    try:
        return look()
    except Unusable as error:
        raise ServerMissing(f"The server named by {variable} cannot be used: {error}") from error


def _first(looks: Iterable[Callable[[], Found]]) -> Found | None:
    for look in looks:
        with suppress(Unusable):
            return look()
    return None


def _serve_until_told(private: bool) -> int:
    """Provide the servers, print them as one line of JSON (or what is missing, as text), and stop them at the end.

    What is being done meanwhile, such as a long installation, is told on standard error.

    The end comes when standard input closes: the one who asked holds its other end, so that the servers end with
    it, in whatever way that happens.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end_once)
    asked_by = os.getppid()
    try:
        with provided(private=private) as servers:
            print(servers.to_json(), flush=True)
            while os.getppid() == asked_by:
                readable, _, _ = select.select([sys.stdin], [], [], 1.0)
                if readable and not os.read(sys.stdin.fileno(), 1024):
                    break
    except ServerMissing as error:
        print(error, flush=True)
        return 1
    return 0


def _end_once(*_: object) -> None:
    """End in order; a second signal must not interrupt the stopping of the servers."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(0)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.servers", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="print servers as JSON, and stop them when standard input closes")
    serve.add_argument("--private", action="store_true", help="start private servers, whatever runs already")
    return _serve_until_told(parser.parse_args().private)


if __name__ == "__main__":
    sys.exit(main())
