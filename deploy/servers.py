"""Finds servers of some kinds, or starts them: `python -m deploy.servers --help`.

Each is looked for in the same order: named by an environment variable; on its standard port with the default
credentials; in Docker, if an engine answers and our compose file has it; a private server from installed programs;
the same after installing Debian's package, if we may. Otherwise the text of ``ServerMissing`` says what to install.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy import docker_engine, packages
from deploy.endpoint import Server, ServerMissing, Servers, Unusable
from deploy.kinds import KINDS, PAIR, Kind

#: Where the RabbitMQ that is named answers over HTTP.
MANAGEMENT_VARIABLE = "BATON_TEST_MANAGEMENT_URL"


def provide(directory: Path, kinds: Sequence[str] = PAIR, *, private: bool = False) -> Servers:
    """Find or start a server of each kind; those that were started run until ``stop(directory)``.

    ``directory`` holds the data of started servers; with ``private`` no server is looked for that runs already.

    Raises:
        ServerMissing: a server is missing and cannot be started; the text says what to install or mend.
    """
    wanted = [KINDS[name] for name in kinds]
    found: dict[str, Server] = {}
    try:
        if not private:
            found |= _running(wanted)
            found |= _in_docker([kind for kind in wanted if kind.name not in found], directory)
        missing = [kind for kind in wanted if kind.name not in found]
        _install(missing)
        for kind in missing:
            found[kind.name] = kind.look(*kind.start(directory / kind.name), "private")
    except BaseException:
        stop(directory)
        raise
    return Servers({kind.name: found[kind.name] for kind in wanted})


def stop(directory: Path) -> None:
    """Stop the servers that were started with this directory; their data stays in it."""
    for kind in KINDS.values():
        kind.private(directory / kind.name).stop()
    if docker_engine.was_used(directory):
        _compose(directory).stop()


@contextmanager
def provided(kinds: Sequence[str] = PAIR, *, private: bool = False) -> Iterator[Servers]:
    """Provide servers for the length of a ``with`` block, leaving nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="baton-"))
    directory.chmod(0o755)
    try:
        yield provide(directory, kinds, private=private)
    finally:
        if docker_engine.was_used(directory):
            _compose(directory).remove()
        stop(directory)
        shutil.rmtree(directory, ignore_errors=True)


def _compose(directory: Path) -> docker_engine.ComposeServers:
    return docker_engine.ComposeServers(f"baton-{zlib.crc32(str(directory).encode()):x}", directory)


def _running(wanted: Sequence[Kind]) -> dict[str, Server]:
    """Return the servers that run already, by their kinds."""
    looked = {kind.name: _named(kind) or _on_standard_port(kind) for kind in wanted}
    return {name: server for name, server in looked.items() if server is not None}


def _named(kind: Kind) -> Server | None:
    """Use the server that the user named, or say why it cannot be used: never another one in its place."""
    url = os.environ.get(kind.variable)
    if not url:
        return None
    try:
        return kind.look(url, os.environ.get(MANAGEMENT_VARIABLE), "named")
    except Unusable as error:
        raise ServerMissing(f"The server named by {kind.variable} cannot be used: {error}") from error


def _on_standard_port(kind: Kind) -> Server | None:
    for url in kind.standard:
        with suppress(Unusable):
            return kind.look(url, None, "on its standard port")
    return None


def _in_docker(wanted: Sequence[Kind], directory: Path) -> dict[str, Server]:
    """Start what our compose file has of these kinds, where an engine answers."""
    if not any(kind.compose for kind in wanted) or not docker_engine.answers():
        return {}
    compose = _compose(directory)
    found = {}
    for kind in wanted:
        if kind.compose is not None:
            compose.start(kind.name)
            found[kind.name] = kind.look(*kind.compose(compose), "in Docker")
    return found


def _install(wanted: Sequence[Kind]) -> None:
    """Install what is missing in one go, so that somebody who has to do it by hand is told once."""
    missing = [kind for kind in wanted if kind.programs() is None]
    if missing:
        named = " and ".join(f"{kind.variable} ({kind.example})" for kind in missing)
        engine = "start a Docker engine, or " if any(kind.compose for kind in missing) else ""
        packages.install([kind.package for kind in missing], f"{engine}name running servers in {named}")


def _serve_until_told(kinds: Sequence[str], private: bool) -> int:
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
        with provided(kinds, private=private) as servers:
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
    serve.add_argument(
        "kinds", nargs="*", metavar="KIND", help=f"which: {', '.join(KINDS)} (default: {' '.join(PAIR)})"
    )
    options = parser.parse_args()
    unknown = [name for name in options.kinds if name not in KINDS]
    if unknown:
        parser.error(f"no such kind of server: {', '.join(unknown)}")
    return _serve_until_told(options.kinds or PAIR, options.private)


if __name__ == "__main__":
    sys.exit(main())
