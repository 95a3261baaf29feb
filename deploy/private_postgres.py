"""Runs a Postgres of our own from installed programs: a free port, a scratch directory, durable as in production."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from deploy.endpoint import ServerMissing, free_ports, new_password

#: Where packages keep Postgres's programs away from PATH (Debian, Red Hat, Homebrew on Apple and Intel).
HOMES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)

#: fsync and synchronous_commit stay on: what is measured and tested here is what runs in production.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
}


def programs() -> Path | None:
    """Return the folder with the newest installed ``initdb`` and ``postgres``, or None."""
    found = [folder for pattern in HOMES for folder in Path("/").glob(pattern[1:]) if (folder / "initdb").exists()]
    if found:
        return max(found, key=_major)
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path and shutil.which("pg_ctl") else None


def reachable(directory: Path) -> bool:
    """Tell whether the user under whom Postgres would run may enter ``directory``."""
    if _owner() is None:
        return True
    enter = ["test", "-x", str(directory)]
    done = subprocess.run(enter, user=_owner(), group=_group(), extra_groups=[], cwd="/", check=False)
    return done.returncode == 0


class PrivatePostgres:
    """One Postgres in ``directory``; what was stored there before is there again after a restart."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._data = directory / "data"
        self._password_file = directory / "password"
        #: How to reach the server that this one follows, and the password for it; absent where it follows none.
        self._primary = directory / "primary"
        self._pass_file = directory / "pgpass"

    def start(self) -> str:
        """Start the server and return SQLAlchemy's URL of its superuser.

        Raises:
            ServerMissing: it is not installed, or does not start; the text carries its own words.
        """
        self._make_directory()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        port = free_ports(1)[0]
        wanted = {**SETTINGS, "port": port}
        if self._primary.exists():
            wanted["primary_conninfo"] = self._primary.read_text().replace("'", "''")
        settings = "\n".join(f"{name} = '{value}'" for name, value in wanted.items())
        (self._data / "postgresql.auto.conf").write_text(settings + "\n")
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self._data), "-l", str(self.directory / "log"))
        return f"postgresql+psycopg://postgres:{self._password_file.read_text().strip()}@127.0.0.1:{port}/postgres"

    def follow(self, host: str, port: int, password: str) -> None:
        """Copy all that another server of ours has; from its start on, this one is its standby, and only reads."""
        self._make_directory()
        for file, text in ((self._password_file, password), (self._pass_file, f"*:*:*:postgres:{password}")):
            file.write_text(text + "\n")
            file.chmod(0o600)
            _give_to_owner(file)
        self._primary.write_text(f"host={host} port={port} user=postgres passfile='{self._pass_file}'")
        copied = ("-D", str(self._data), "-R", "-X", "stream", "--checkpoint=fast")
        self._run("pg_basebackup", *copied, "-d", self._primary.read_text())

    def stop(self) -> None:
        """Stop the server, if it runs, after it has written everything down."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-m", "fast", "-w", "-t", "60", "-D", str(self._data))

    def _make_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        _give_to_owner(self.directory)

    def _initialise(self) -> None:
        self._password_file.write_text(new_password() + "\n")
        self._password_file.chmod(0o600)
        _give_to_owner(self._password_file)
        self._run(
            "initdb", "-D", str(self._data), "-U", "postgres", "-E", "UTF8", "--locale=C",
            "-A", "scram-sha-256", f"--pwfile={self._password_file}",
        )  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        if folder is None:
            raise ServerMissing("PostgreSQL is not installed: initdb and pg_ctl were not found.")
        with (self.directory / f"{program}.out").open("w+") as output:
            # The server inherits this file; a pipe would keep us waiting for as long as the server lives.
            done = subprocess.run(
                [str(folder / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                user=_owner(),
                group=_group(),
                extra_groups=[] if _owner() else None,
                env={**os.environ, "HOME": str(self.directory), "LC_ALL": "C"},
                timeout=120,
                check=False,
            )
            output.seek(0)
            words = output.read()
        if done.returncode != 0:
            log = self.directory / "log"
            raise ServerMissing(f"{program} failed:\n{words}{log.read_text() if log.exists() else ''}")


def _owner() -> str | None:
    """Return the user under whom Postgres runs when we are root, which it refuses to run as; else None."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _give_to_owner(path: Path) -> None:
    owner = _owner()
    if owner is not None:
        shutil.chown(path, owner)


def _group() -> int | None:
    owner = _owner()
    return pwd.getpwnam(owner).pw_gid if owner else None


def _major(folder: Path) -> tuple[int, ...]:
    digits = "".join(letter if letter.isdigit() else " " for letter in str(folder))
    return tuple(int(number) for number in digits.split())
