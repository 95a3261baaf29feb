"""``make bench``: runs every scenario beside its baseline and prints one table; figures also go to results.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks import chain, decide, deep, fan_out, latency, light, long_loop, start, waiting
from benchmarks.figure import Figure
from benchmarks.scope import Scope
from benchmarks.stack import Stack, running
from benchmarks.table import table_of
from deploy.kinds import PAIR

SCENARIOS: dict[str, Callable[[Scope], list[Figure]]] = {
    "chain": chain.measure,
    "start": start.measure,
    "latency": latency.measure,
    "fan-out": fan_out.measure,
    "long-loop": long_loop.measure,
    "deep": deep.measure,
    "waiting": waiting.measure,
    "decide": decide.measure,
    "light": light.measure,
}

RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    """Run the benchmark; exit 1 when a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("scenarios", nargs="*", metavar="scenario", help=f"of {', '.join(SCENARIOS)} (default all)")
    arguments.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    arguments.add_argument("--quick", action="store_true", help="one round of small sizes, to see whether it works")
    arguments.add_argument("--database", choices=["postgres", "mysql"], default="postgres", help="what keeps the runs")
    arguments.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq", help="what carries messages")
    given = arguments.parse_args()
    unknown = sorted(set(given.scenarios) - set(SCENARIOS))
    if unknown:
        arguments.error(f"no scenario is called {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    console = Console()
    logs = Path(tempfile.mkdtemp(prefix="baton-bench-"))
    console.print(f"Logs of the processes: {logs}", highlight=False)
    figures: list[Figure] = []
    for name in given.scenarios or SCENARIOS:
        # Servers of its own for each, so that the rows of one scenario do not weigh on the next.
        with running(logs, given.database, given.broker) as stack:
            console.print(f"{name}, on {stack.servers.versions()}", highlight=False)
            scope = Scope(stack, 1 if given.quick else given.rounds, given.quick, _teller(console))
            figures += SCENARIOS[name](scope)
            versions = _versions(stack)
    _write(figures, versions, [kind for kind in (given.database, given.broker) if kind not in PAIR])
    console.print(table_of(figures, given.broker))
    return 0 if all(each.met is not False for each in figures) else 1


def _teller(console: Console) -> Callable[[str], None]:
    return lambda words: console.print(f"  {words}", highlight=False)


def _write(figures: Sequence[Figure], versions: dict[str, str], unusual: Sequence[str]) -> None:
    """Write the file of results; servers that are not the usual pair name it."""
    measured = {"machine": _machine(), "versions": versions, "scenarios": [each.to_json() for each in figures]}
    results = RESULTS.with_stem("-".join([RESULTS.stem, *unusual]))
    results.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _versions(stack: Stack) -> dict[str, str]:
    packages = ("baton-engine", "celery", "kombu", "pika", "psycopg", "PyMySQL", "SQLAlchemy", "msgspec")
    return {
        **{name: version(name) for name in packages},
        **{server.product: server.version for server in stack.servers.by_kind.values()},
    }


if __name__ == "__main__":
    raise SystemExit(main())
