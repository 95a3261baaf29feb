"""What definitions may name of the world outside: ``${workflow.env.NAME}`` and ``${workflow.secrets.NAME}``.

Nothing of the process's environment can be named but variables that begin with ``BATON_ENV_`` and ``BATON_SECRET_``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from engine.config import ENVIRONMENT_PREFIX, SECRET_PREFIX, variables

#: Names that are files in a directory of secrets, and never a way out of it.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def environment_values(environment: Mapping[str, str] | None = None, directory: Path | None = None) -> dict[str, str]:
    """Return the values of ``${workflow.env.NAME}`` by name, as they are when the process starts."""
    return _with_prefix(ENVIRONMENT_PREFIX, environment, directory)


def secret_values(
    files: str | None, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> Callable[[str], str | None]:
    """Return the function that finds a secret by its name, or None.

    A variable goes before a file of that name in the directory ``files``, where container platforms mount secrets.
    Files are read each time, so a secret that was changed there is used from then on; a last line break is left out.
    """
    known = _with_prefix(SECRET_PREFIX, environment, directory)

    def find(name: str) -> str | None:
        if name in known:
            return known[name]
        if files is None or not _FILE_NAME.fullmatch(name):
            return None
        try:
            return (Path(files) / name).read_text().removesuffix("\n")
        except (OSError, UnicodeDecodeError):
            return None

    return find


def secret_names(
    files: str | None, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> Callable[[], list[str]]:
    """Return the function that lists the names of the secrets that ``secret_values`` finds, in order."""
    known = set(_with_prefix(SECRET_PREFIX, environment, directory))

    def names() -> list[str]:
        try:
            found = [] if files is None else [each.name for each in Path(files).iterdir() if each.is_file()]
        except OSError:
            found = []
        return sorted(known | {name for name in found if _FILE_NAME.fullmatch(name)})

    return names


def runtime_values(secrets: Callable[[str], str | None], environment: Mapping[str, str]) -> Callable[[str], str | None]:
    """Return the function that finds what ``runtimeMetadata`` names: a secret, else a value of the environment."""

    def find(name: str) -> str | None:
        secret = secrets(name)
        return environment.get(name) if secret is None else secret

    return find


def _with_prefix(prefix: str, environment: Mapping[str, str] | None, directory: Path | None) -> dict[str, str]:
    given = variables(environment, directory)
    return {name.removeprefix(prefix): value for name, (value, _) in given.items() if name.startswith(prefix)}
