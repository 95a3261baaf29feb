"""The file of results: what was measured, on what machine, with what versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.figure import Figure
from deploy.endpoint import Servers

_PACKAGES = ("baton-engine", "celery", "kombu", "pika", "psycopg", "PyMySQL", "SQLAlchemy", "msgspec", "fastapi")


def write_results(path: Path, figures: Sequence[Figure], servers: Servers | None) -> None:
    """Write the figures that there are so far."""
    measured = {
        "machine": _machine(),
        "versions": _versions(servers),
        "scenarios": [each.to_json() for each in figures],
    }
    path.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        # Processes that wanted a processor in the last quarter of an hour; ours are among them.
        "load": round(os.getloadavg()[2], 1),
    }


def _versions(servers: Servers | None) -> dict[str, str]:
    found = {name: version(name) for name in _PACKAGES}
    if servers is not None:
        found |= {server.product: server.version for server in servers.by_kind.values()}
    return found
