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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy import docker_engine, packages, private_postgres, private_rabbitmq, probe
from deploy.endpoint import ServerMissing, Servers, Unusable

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


def provide(directory: Path, cleanup: ExitStack) -> Servers:
    """Find or start both servers; what was started is stopped when ``cleanup`` closes.

    ``directory`` holds the data of private servers.

    Raises:
        ServerMissing: a server is missing and cannot be started; the text says what to install or mend.
    """
    compose = _compose(cleanup)
    database_url, _, postgres_version, postgres_origin = _postgres(directory / "postgres", compose, cleanup)
    broker_url, management_url, rabbitmq_version, origin = _rabbitmq(directory / "rabbitmq", compose, cleanup)
    return Servers(
        database_url=database_url,
        broker_url=broker_url,
        management_url=management_url,
        postgres_version=postgres_version,
        rabbitmq_version=rabbitmq_version,
        postgres_origin=postgres_origin,
        rabbitmq_origin=origin,
    )


@contextmanager
def provided() -> Iterator[Servers]:
    """Provide both servers for the length of a ``with`` block, private ones in a scratch directory."""
    with ExitStack() as cleanup:
        directory = Path(tempfile.mkdtemp(prefix="baton-"))
        cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        yield provide(directory, cleanup)


def _postgres(directory: Path, compose: docker_engine.ComposeServers | None, cleanup: ExitStack) -> Found:
    named = os.environ.get(DATABASE_VARIABLE)
    if named:
        return _named(DATABASE_VARIABLE, lambda: (named, None, probe.postgres_version(named), "named"))
    for url in STANDARD_DATABASES:
        found = _tried(lambda url=url: (url, None, probe.postgres_version(url), "on its standard port"))
        if found:
            return found
    if compose is not None:
        compose.start("postgres")
        return compose.database_url, None, probe.postgres_version(compose.database_url), "in Docker"
    if private_postgres.programs() is None:
        packages.install(["postgresql"])
    server = private_postgres.PrivatePostgres(directory)
    cleanup.callback(server.stop)
    url = server.start()
    return url, None, probe.postgres_version(url), "private"


def _rabbitmq(directory: Path, compose: docker_engine.ComposeServers | None, cleanup: ExitStack) -> Found:
    named, management = os.environ.get(BROKER_VARIABLE), os.environ.get(MANAGEMENT_VARIABLE)
    if named:
        return _named(BROKER_VARIABLE, lambda: (named, management, probe.rabbitmq_version(named, management), "named"))
    for url in STANDARD_BROKERS:
        found = _tried(lambda url=url: (url, None, probe.rabbitmq_version(url, None), "on its standard port"))
        if found:
            return found
    if compose is not None:
        compose.start("rabbitmq")
        version = probe.rabbitmq_version(compose.broker_url, compose.management_url)
        return compose.broker_url, compose.management_url, version, "in Docker"
    if private_rabbitmq.programs() is None:
        packages.install(["rabbitmq-server"])
    server = private_rabbitmq.PrivateRabbitmq(directory)
    cleanup.callback(server.stop)
    url, management_url = server.start()
    return url, management_url, probe.rabbitmq_version(url, management_url), "private"


def _compose(cleanup: ExitStack) -> docker_engine.ComposeServers | None:
    if not docker_engine.answers():
        return None
    compose = docker_engine.ComposeServers(f"baton-{os.getpid()}")
    cleanup.callback(compose.stop)
    return compose


def _named(variable: str, look: Callable[[], Found]) -> Found:
    """Use the server that the user named, or say why it cannot be used: never another one in its place."""
    try:
        return look()
    except Unusable as error:
        raise ServerMissing(f"The server named by {variable} cannot be used: {error}") from error


def _tried(look: Callable[[], Found]) -> Found | None:
    try:
        return look()
    except Unusable:
        return None


def _serve_until_told() -> int:
    """Provide the servers, print them as one line of JSON, and stop them when standard input closes.

    The one who asked holds the other end of standard input: when it ends in whatever way, the servers end too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    asked_by = os.getppid()
    try:
        with provided() as servers:
            print(servers.to_json(), flush=True)
            while os.getppid() == asked_by:
                readable, _, _ = select.select([sys.stdin], [], [], 1.0)
                if readable and not sys.stdin.buffer.read1(1024):
                    break
    except ServerMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.servers", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="start servers, print them as JSON, stop them when standard input closes")
    parser.parse_args()
    return _serve_until_told()


if __name__ == "__main__":
    sys.exit(main())
