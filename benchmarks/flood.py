"""``python -m benchmarks.flood``: a million starts at once; memory stays bounded and nothing is dropped."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import sqlalchemy
from rich.console import Console
from rich.table import Table

from benchmarks.stack import running
from engine.broker.opening import open_broker
from engine.decider.validate import check_workflow
from engine.model.event import StartWorkflow
from engine.store.port import Store
from engine.wire.message import START_QUEUE
from engine.wire.start_message import encode_start

#: A run that stays open and in memory, and needs no worker.
WORKFLOW = {"name": "flood", "tasks": [{"name": "wait", "taskReferenceName": "wait", "type": "HUMAN"}]}

#: Starts published with one wait for confirms.
_BATCH = 2_000

#: Seconds between two looks at the processes' memory.
_LOOK = 0.25

_MEGABYTE = 1024 * 1024


@dataclass
class Memory:
    """The resident memory of processes over time: what it was at first, at most, and minute by minute, in bytes."""

    first: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    #: The highest of each minute.
    minutes: dict[str, dict[int, int]] = field(default_factory=dict)

    def note(self, name: str, resident: int, minute: int) -> None:
        """Take a look into account."""
        self.first.setdefault(name, resident)
        self.most[name] = max(resident, self.most.get(name, 0))
        of_process = self.minutes.setdefault(name, {})
        of_process[minute] = max(resident, of_process.get(minute, 0))


@contextmanager
def watched(processes: Mapping[str, Sequence[int]]) -> Iterator[Memory]:
    """Watch the memory of processes, those of one name together; a process that ends fails the measurement."""
    memory, stop, began = Memory(), threading.Event(), time.monotonic()
    opened = {name: [psutil.Process(pid) for pid in pids] for name, pids in processes.items()}
    failure: list[Exception] = []

    def watch() -> None:
        try:
            while not stop.wait(_LOOK):
                minute = int((time.monotonic() - began) // 60)
                for name, several in opened.items():
                    memory.note(name, sum(each.memory_info().rss for each in several), minute)
        except psutil.Error as error:
            failure.append(error)

    thread = threading.Thread(target=watch, name="memory")
    thread.start()
    try:
        yield memory
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]


def publish(broker_url: str, starts: int, input_bytes: int = 10) -> float:
    """Publish that many starts and wait for the broker's confirm of each; return how many seconds that took."""
    given = {"text": "x" * input_bytes}
    broker = open_broker(broker_url)
    began = time.monotonic()
    try:
        for first in range(0, starts, _BATCH):
            names = (f"flood-{number}" for number in range(first, min(first + _BATCH, starts)))
            asked = (StartWorkflow(event_id=name, workflow_id=name, name="flood", input=given) for name in names)
            broker.publish([encode_start(start) for start in asked])
    finally:
        broker.close()
    return time.monotonic() - began


def register(store: Store) -> None:
    """Register the workflow of the flood."""
    with store.transaction() as transaction:
        transaction.register_workflow(check_workflow(WORKFLOW), overwrite=True)


def waiting(broker_url: str) -> int:
    """Return how many starts are in the queue; none is in anybody's hands when the processes have ended."""
    broker = open_broker(broker_url)
    try:
        return broker.ready(START_QUEUE) or 0
    finally:
        broker.close()


def begun(database_url: str) -> int:
    """Return how many runs are stored."""
    database = sqlalchemy.create_engine(database_url)
    try:
        with database.connect() as connection:
            return int(connection.scalar(sqlalchemy.text("SELECT count(*) FROM workflow")) or 0)
    finally:
        database.dispose()


def main() -> int:
    """Run the flood; exit 1 when a start was dropped."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--starts", type=int, default=1_000_000, help="start messages (default 1,000,000)")
    arguments.add_argument("--seconds", type=int, default=180, help="how long to watch afterwards (default 180)")
    given = arguments.parse_args()
    console = Console()
    logs = Path(tempfile.mkdtemp(prefix="baton-flood-"))
    with running(logs, "postgres") as stack:
        console.print(stack.servers.versions(), highlight=False)
        register(stack.store)
        with ExitStack() as services:
            baton = str(Path(sys.executable).with_name("baton"))
            pids = {name: [services.enter_context(stack.process(name, baton, name))] for name in ("decider", "starter")}
            rabbitmq = stack.server_processes()["rabbitmq"]
            with watched({**pids, "rabbitmq": rabbitmq}) as memory:
                took = publish(stack.servers.broker_url, given.starts)
                console.print(f"published and confirmed {given.starts:,} starts in {took:.0f} s", highlight=False)
                time.sleep(given.seconds)
        runs, queued = begun(stack.database_url), waiting(stack.servers.broker_url)
    _print(console, memory)
    lost = given.starts - runs - queued
    console.print(
        f"{runs:,} runs begun + {queued:,} starts in the queue = "
        f"{runs + queued:,} of {given.starts:,} published; {lost:,} missing",
        highlight=False,
    )
    return 0 if lost == 0 else 1


def _print(console: Console, memory: Memory) -> None:
    minutes = sorted({minute for each in memory.minutes.values() for minute in each})
    table = Table(title="Resident memory in MB: at first, at most, and the highest of each minute")
    for column in ("process", "first", "most", *(f"minute {minute + 1}" for minute in minutes)):
        table.add_column(column, justify="left" if column == "process" else "right")
    for name, most in memory.most.items():
        figures = [memory.first[name], most, *(memory.minutes[name].get(minute, 0) for minute in minutes)]
        table.add_row(name, *(f"{figure / _MEGABYTE:.0f}" for figure in figures))
    console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
