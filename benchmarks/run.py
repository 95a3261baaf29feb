"""``make bench``: runs every scenario beside its baseline and prints one table; figures also go to results.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.chain import Chain, Round, middle
from benchmarks.stack import Stack, running
from deploy.kinds import PAIR

#: The share of bare Celery's rate that chains have to reach.
TARGET = 0.6

RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    """Run the benchmark; exit 1 when a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    arguments.add_argument("--workflows", type=int, default=500, help="chains of ten tasks in a round (default 500)")
    arguments.add_argument("--database", choices=["postgres", "mysql"], default="postgres", help="what keeps the runs")
    arguments.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq", help="what carries messages")
    given = arguments.parse_args()
    console = Console()
    logs = Path(tempfile.mkdtemp(prefix="baton-bench-"))
    console.print(f"Logs of the processes: {logs}", highlight=False)
    with running(logs, given.database, given.broker) as stack:
        console.print(stack.servers.versions(), highlight=False)
        scenarios = [
            _chain(stack, console, given.rounds, given.workflows, prefetch_multiplier=16, target=TARGET),
            _chain(stack, console, given.rounds, given.workflows, prefetch_multiplier=1, target=None),
        ]
        versions = _versions(stack)
    measured = {"machine": _machine(), "versions": versions, "scenarios": scenarios}
    unusual = [kind for kind in (given.database, given.broker) if kind not in PAIR]
    results = RESULTS.with_stem("-".join([RESULTS.stem, *unusual]))
    results.write_text(json.dumps(measured, indent=2))
    _print(console, scenarios, given.broker)
    return 0 if all(each["met"] is not False for each in scenarios) else 1


def _chain(
    stack: Stack, console: Console, rounds: int, workflows: int, *, prefetch_multiplier: int, target: float | None
) -> dict[str, object]:
    """Alternate Baton and bare Celery on one worker; return the scenario's entry."""
    name = f"chain (prefetch {prefetch_multiplier})"
    with stack.decider() as decider, stack.worker(prefetch_multiplier) as worker:
        processes = {"decider": [decider], "worker": [worker], **stack.server_processes()}
        chain = Chain(stack, workflows, processes)
        # The first round of each side warms connections, caches and the workers up, and does not count.
        chain.celery(), chain.baton()
        ours, theirs = [], []
        for number in range(1, rounds + 1):
            theirs.append(chain.celery())
            ours.append(chain.baton())
            console.print(
                f"{name}, round {number}: Celery {theirs[-1].rate:,.0f}/s, Baton {ours[-1].rate:,.0f}/s",
                highlight=False,
            )
        chain.close()
    value, baseline = middle(ours), middle(theirs)
    ratio = value.rate / baseline.rate
    return {
        "scenario": name,
        "value": round(value.rate, 1),
        "unit": "tasks/s",
        "baseline": round(baseline.rate, 1),
        "ratio": round(ratio, 3),
        "target": target,
        "met": None if target is None else ratio >= target,
        "cpu_ms_per_task": {process: round(ms, 3) for process, ms in value.cpu_ms.items()},
        "baseline_cpu_ms_per_task": {process: round(ms, 3) for process, ms in baseline.cpu_ms.items()},
        "rounds": [{"baton": _entry(mine), "celery": _entry(other)} for mine, other in zip(ours, theirs, strict=True)],
    }


def _entry(measured: Round) -> dict[str, object]:
    return {"rate": round(measured.rate, 1), "cpu_ms_per_task": {k: round(v, 3) for k, v in measured.cpu_ms.items()}}


def _print(console: Console, scenarios: list[dict[str, object]], broker: str) -> None:
    table = Table(title="Medians; CPU in milliseconds for each task, user + system")
    for heading in ("scenario", "Baton", "bare Celery", "ratio", "target", "decider", "database", broker, "worker"):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for each in scenarios:
        cpu = each["cpu_ms_per_task"]
        assert isinstance(cpu, dict)
        met = {True: "met", False: "MISSED", None: "shown"}[each["met"]]  # type: ignore[index]
        table.add_row(
            str(each["scenario"]),
            f"{each['value']:,}/s",
            f"{each['baseline']:,}/s",
            f"{each['ratio']}",
            f"{each['target'] or ''} {met}".strip(),
            *(f"{cpu[name]:.3f}" for name in ("decider", "database", broker, "worker")),
        )
    console.print(table)


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
