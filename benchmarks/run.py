"""``make bench``: runs every scenario beside its baseline and prints one table; figures also go to results.json."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks import (
    canvas,
    chain,
    decide,
    deep,
    fan_out,
    latency,
    light,
    long_loop,
    peers,
    polls,
    searches,
    start,
    waiting,
)
from benchmarks.figure import Figure
from benchmarks.results import RESULTS, Results
from benchmarks.scope import Scope, Skipped
from benchmarks.stack import running
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
    "polls": polls.measure,
    "search": searches.measure,
    "canvas": canvas.measure,
    "embedded": peers.measure_embedded,
    "peers": peers.measure_peers,
}


@dataclass
class Session:
    """What has come out so far; a scenario that breaks down takes no other's figures with it."""

    console: Console
    results: Results
    figures: list[Figure] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def measure(self, name: str, given: argparse.Namespace, logs: Path) -> None:
        """Run a scenario on servers of its own, so that its rows do not weigh on the next one's."""
        rounds = given.rounds or (1 if given.quick else 5)
        try:
            with running(logs, given.database, given.broker) as stack:
                self.tell(f"{name}, on {stack.servers.versions()}")
                scope = Scope(stack, rounds, given.quick, lambda words: self.tell(f"  {words}"))
                found = SCENARIOS[name](scope)
            self.figures += found
            self.results.put(name, found, stack.servers)
        except Skipped as reason:
            self.tell(f"  {name} is left out: {reason}")
        except Exception as error:
            self.broken.append(name)
            self.tell(f"  {name} broke down: {type(error).__name__}: {error}")

    def tell(self, words: str) -> None:
        """Say how far it is."""
        self.console.print(words, highlight=False, soft_wrap=True)

    @property
    def is_well(self) -> bool:
        """Whether every scenario ran, and none missed its target."""
        return not self.broken and all(each.met is not False for each in self.figures)


def main() -> int:
    """Run the benchmark; exit 1 when a target is missed or a scenario breaks down."""
    given = _arguments().parse_args()
    # Told to end, it leaves no servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logs = Path(tempfile.mkdtemp(prefix="baton-bench-"))
    # A quick look does not overwrite figures that mean something, and each pair of servers has its own file.
    unusual = [kind for kind in (given.database, given.broker) if kind not in PAIR]
    results = RESULTS.with_stem("-".join([RESULTS.stem, *unusual, *(["quick"] if given.quick else [])]))
    session = Session(Console(), Results(results))
    session.tell(f"Logs of the processes: {logs}")
    for name in given.only or SCENARIOS:
        session.measure(name, given, logs)
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(table_of([each.to_json() for each in session.figures]))
    session.tell(f"Written to {results}")
    for name in session.broken:
        session.tell(f"{name} broke down; see above, and {logs}")
    return 0 if session.is_well else 1


def _arguments() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    arguments.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME", help=f"of {', '.join(SCENARIOS)}")
    arguments.add_argument("--rounds", type=int, help="measurements of each side (default 5, with --quick 1)")
    arguments.add_argument("--quick", action="store_true", help="small sizes and one round, to see whether it works")
    arguments.add_argument("--database", choices=["postgres", "mysql"], default="postgres", help="what keeps the runs")
    arguments.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq", help="what carries messages")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
