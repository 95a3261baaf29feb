"""One run of the chaos: load, faults, a bounded time to finish, and the reckoning."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pika
from rich.console import Console

from engine.config import Settings
from engine.wire.message import DEAD_QUEUE
from tests.chaos.faults import FAULTS, Fault, Hand, schedule
from tests.chaos.journal import Client, Journal, Load, Start
from tests.chaos.observer import Observer
from tests.chaos.private_pair import PrivatePair
from tests.chaos.reckoning import executions, wrong
from tests.chaos.recovery import Recoveries
from tests.chaos.report import SEVERAL, Report
from tests.chaos.service import serving
from tests.chaos.troupe import Troupe
from tests.chaos.workload import STARVING, WORKFLOWS, task_definitions

#: Seconds from which on a run is long enough for faults of every kind; it goes on until each has come.
WHOLE = 180.0

#: Seconds after the last fault within which everything must have ended.
SETTLE = 120.0

#: Seconds before a wipe within which a confirmed start may still stand on the disk alone; older ones are runs.
AT_RISK = 30.0


class Chaos:
    """Everything that one run needs."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        seconds: float,
        rate: float,
        console: Console,
        kinds: Sequence[str] = tuple(FAULTS),
    ) -> None:
        self._folder = folder
        self._kinds = kinds
        self._seed = seed
        self._seconds = seconds
        self._rate = rate
        self._console = console
        self._journal = Journal(folder / "journal")
        self._numbers = count(1)
        #: Starts that were confirmed, were no run yet, and were on the disk when it was wiped.
        self._wiped: dict[str, Start] = {}
        command = f"make chaos SECONDS={seconds:g} SEED={seed} RATE={rate:g}"
        self._report = Report(command, "")

    def run(self) -> Report:
        """Run it all; what was started is gone afterwards."""
        with serving() as self._service, PrivatePair.running() as servers:
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
        stack = self._troupe.stack
        recoveries = Recoveries(
            self._observer, self._journal, Settings().partitions, self._past_proxies, stack.is_healthy
        )
        hand = Hand(self._servers, self._troupe, self._note_wipe, self._start_hungry)
        load = Load(Client(self._servers.broker.url, self._service), self._journal, self._seed, self._rate)
        load.start()
        began = time.monotonic()
        time.sleep(2)
        alone = True
        for number, fault in enumerate(schedule(self._seed, self._kinds)):
            whole = self._seconds < WHOLE or number >= len(self._kinds)
            if whole and time.monotonic() > began + self._seconds:
                break
            time.sleep(fault.pause)
            blow = hand.do(fault)
            self._report.injected[fault.kind] += 1
            if fault.hurried:
                self._tell(began, fault, "the next one follows at once")
            else:
                recovery = recoveries.measure(blow)
                cause = fault.kind if alone else SEVERAL
                self._report.recoveries.setdefault(cause, []).append(recovery)
                self._tell(began, fault, f"new work {_seconds(recovery.new)}, all moved on {_seconds(recovery.old)}")
            alone = not fault.hurried
            self._report.deaths.update(self._troupe.ended())
        self._report.seconds = time.monotonic() - began
        load.end()
        self._report.resent = load.attempts - load.started

    def _past_proxies(self) -> Client:
        return Client(self._servers.broker_url, self._service)

    def _start_hungry(self) -> str:
        """Start a run whose task takes more memory than there is; return its id."""
        client, number = self._past_proxies(), next(self._numbers)
        start = client.start(STARVING, f"hungry-{self._seed}-{number}", number, threading.Event())
        client.close()
        assert start is not None
        self._journal.note(start)
        return start.workflow_id

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
        client = self._past_proxies()
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
        report.wrong = wrong(runs, self._journal.starts())
        report.silences = [str(each) for each in self._observer.silences()]
        for what, lines in (("lost", report.lost), ("wrong", report.wrong), ("unheard", report.silences)):
            for line in lines:
                self._console.print(f"{what}: {line}", markup=False)
        report.executions, report.executed_again = executions(self._troupe.executions)
        report.dead_letters = self._dead_letters()

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
