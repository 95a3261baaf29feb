"""The file of results: what was measured, when, on what machine, with what versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.figure import Figure
from deploy.endpoint import Servers

RESULTS: Final = Path(__file__).parent / "results.json"

_PACKAGES = ("baton-engine", "celery", "kombu", "pika", "psycopg", "PyMySQL", "SQLAlchemy", "msgspec", "fastapi")


class Results:
    """What is in the file at ``path``: each scenario's figures as they were measured last.

    A scenario measured again takes the place of what it had, and leaves the others as they are, so that a table can
    come from several evenings.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The figures, in the order in which their scenarios were first measured; none where there is no file."""
        if not self._path.exists():
            return []
        found: list[dict[str, Any]] = json.loads(self._path.read_text(encoding="utf-8"))["scenarios"]
        return found

    def put(self, name: str, figures: Sequence[Figure], servers: Servers | None) -> None:
        """Write down what the scenario of that name came to."""
        told = {"of": name, "measured": datetime.now(UTC).isoformat(timespec="minutes"), "load": _load()}
        new = [told | each.to_json() for each in figures]
        old = self.rows
        place = next((index for index, row in enumerate(old) if row["of"] == name), len(old))
        others = [row for row in old if row["of"] != name]
        written = {
            "machine": _machine(),
            "versions": _versions(servers),
            "scenarios": [*others[:place], *new, *others[place:]],
        }
        self._path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _load() -> float:
    """Return how many processes wanted a processor in the last quarter of an hour; ours are among them."""
    return round(os.getloadavg()[2], 1)


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _versions(servers: Servers | None) -> dict[str, str]:
    found = {name: version(name) for name in _PACKAGES}
    if servers is not None:
        found |= {server.product: server.version for server in servers.by_kind.values()}
    return found
