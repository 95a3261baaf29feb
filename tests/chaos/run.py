"""One run of the chaos: load, faults, a bounded time to finish, and the reckoning."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pika
from rich.console import Console

from demo.cases import FAILURE_WORKFLOW
from engine.wire.message import DEAD_QUEUE
from tests.acceptance.stack import HASTE
from tests.chaos.faults import Fault, Hand, schedule
from tests.chaos.journal import Client, Journal, Load, Start
from tests.chaos.observer import Observer
from tests.chaos.private_pair import PrivatePair
from tests.chaos.recovery import Recoveries
from tests.chaos.report import SEVERAL, Report, executions
from tests.chaos.troupe import Troupe
from tests.chaos.workload import BY_NAME, WORKFLOWS, task_definitions

#: Seconds after the last fault within which everything must have ended.
SETTLE = 120.0

#: Seconds before a wipe within which a confirmed start may still stand on the disk alone; older ones are runs.
AT_RISK = 30.0


class Chaos:
    """Everything that one run needs."""

    def __init__(self, folder: Path, seed: int, seconds: float, rate: float, console: Console) -> None:
        self._folder = folder
        self._seed = seed
        self._seconds = seconds
        self._rate = rate
        self._console = console
        self._journal = Journal(folder / "journal")
        #: Starts that were confirmed, were no run yet, and were on the disk when it was wiped.
        self._wiped: dict[str, Start] = {}
        command = f"make chaos SECONDS={seconds:g} SEED={seed} RATE={rate:g}"
        self._report = Report(command, "")

    def run(self) -> Report:
        """Run it all; what was started is gone afterwards."""
        with PrivatePair.running() as servers:
            self._servers = servers
            self._observer = Observer(servers)
            self._report.versions = servers.versions
            self._troupe = Troupe(self._folder, servers.database.url, servers.broker.url)
            try:
                self._troupe.start()
                self._troupe.stack.define(*WORKFLOWS, tasks=task_definitions())
                self._disturb()
                self._settle()
                self._reckon()
            finally:
                self._troupe.close()
        return self._report

    def _disturb(self) -> None:
        partitions = int(HASTE["BATON_PARTITIONS"])
        recoveries = Recoveries(self._observer, self._journal, partitions, lambda: self._servers.broker_url)
        hand = Hand(self._servers, self._troupe, self._note_wipe)
        load = Load(self._servers.broker.url, self._journal, self._seed, self._rate)
        load.start()
        began = time.monotonic()
        time.sleep(2)
        alone = True
        for fault in schedule(self._seed):
            if time.monotonic() > began + self._seconds:
                break
            time.sleep(fault.pause)
            since = hand.do(fault)
            self._report.injected[fault.kind] += 1
            if not fault.hurried:
                recovery = recoveries.measure(since)
                cause = fault.kind if alone else SEVERAL
                self._report.recoveries.setdefault(cause, []).append(recovery)
                self._tell(began, fault, f"new work {_seconds(recovery.new)}, all moved on {_seconds(recovery.old)}")
            else:
                self._tell(began, fault, "the next one follows at once")
            alone = not fault.hurried
            self._report.deaths.update(self._troupe.ended())
        self._report.seconds = time.monotonic() - began
        load.end()
        self._report.resent = load.attempts - load.started

    def _note_wipe(self) -> None:
        """Note which confirmed starts are on the disk alone: the broker is down, its disk not yet gone."""
        # What a decider has in hand may still be committed.
        time.sleep(1)
        young = {each.workflow_id: each for each in self._journal.starts() if each.confirmed_at > time.time() - AT_RISK}
        self._wiped.update((identity, young[identity]) for identity in self._observer.missing(young))

    def _settle(self) -> None:
        began = time.monotonic()
        self._all_ended(SETTLE)
        self._report.settled = time.monotonic() - began
        self._report.deaths.update(self._troupe.ended())
        starts = {each.workflow_id: each for each in self._journal.starts()}
        missing = self._observer.missing(starts)
        gone = [start for identity, start in self._wiped.items() if identity in missing]
        self._report.lost = [f"{starts[each]}" for each in sorted(missing - set(self._wiped))]
        self._report.wiped = len(gone)
        client = Client(self._servers.broker_url)
        for start in gone:
            client.start(start.name, start.message_id, start.number, threading.Event())
        client.close()
        self._all_ended(SETTLE if gone else 0, {start.workflow_id for start in gone})
        self._report.wiped_and_ended = len(gone) - len(self._observer.still_open([each.workflow_id for each in gone]))

    def _all_ended(self, seconds: float, expected: set[str] | None = None) -> None:
        """Wait until every confirmed start has ended, and every run with it."""
        ids = expected if expected is not None else {each.workflow_id for each in self._journal.starts()}
        ids = ids - (set() if expected is not None else set(self._wiped))
        deadline = time.monotonic() + seconds
        while (self._observer.open() or self._observer.still_open(ids)) and time.monotonic() < deadline:
            time.sleep(0.5)

    def _reckon(self) -> None:
        report, runs = self._report, self._observer.runs()
        report.confirmed = len(self._journal.starts())
        for each in runs:
            report.runs[each["status"]] += 1
        report.stuck = self._observer.open()
        for identity in report.stuck:
            self._console.print(f"stuck: {self._observer.row(identity)}", markup=False)
            for line in self._observer.tasks(identity):
                self._console.print(f"    {line}", markup=False)
        for line in report.lost:
            self._console.print(f"lost: {line}", markup=False)
        report.wrong = self._wrong(runs)
        for line in report.wrong:
            self._console.print(f"wrong: {line}", markup=False)
        report.executions, report.executed_again = executions(self._troupe.executions)
        report.dead_letters = self._dead_letters()

    def _wrong(self, runs: list[dict[str, object]]) -> list[str]:
        """Return the runs that have ended in another way than their input says."""
        numbers = {each.workflow_id: each.number for each in self._journal.starts()}
        names = {each["id"]: each["name"] for each in runs}
        found = []
        for each in runs:
            kind, number = BY_NAME.get(str(each["name"])), numbers.get(str(each["id"]))
            if kind is None or each["status"] in ("RUNNING", "PAUSED"):
                continue
            output = _object(each["output"])
            if each["status"] != kind.status:
                found.append(f"{each}, expected {kind.status}")
            elif number is not None and kind.sum(number) != output.get("sum"):
                found.append(f"{each}, expected {kind.sum(number)}")
            elif kind.status == "FAILED" and names.get(output.get(FAILURE_WORKFLOW)) != "chaos_sorry":
                found.append(f"{each}, and its failure workflow never ran")
        return found

    def _dead_letters(self) -> int:
        with pika.BlockingConnection(pika.URLParameters(self._servers.broker_url)) as connection:
            channel = connection.channel()
            number = int(channel.queue_declare(DEAD_QUEUE, passive=True).method.message_count)
            for _ in range(min(number, 5)):
                _, properties, body = channel.basic_get(DEAD_QUEUE)
                self._console.print(f"dead letter: {properties.headers} {body[:300]!r}", markup=False)
            return number

    def _tell(self, began: float, fault: Fault, words: str) -> None:
        after = f"{time.monotonic() - began:6.1f} s"
        self._console.print(f"{after}  {fault.kind} ({fault.target}, {fault.seconds} s): {words}", highlight=False)


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _object(payload: object) -> dict[str, object]:
    """Return an output: psycopg decodes JSON columns, and an empty one is NULL."""
    if isinstance(payload, str):
        payload = json.loads(payload)
    return payload if isinstance(payload, dict) else {}
