"""peers and embedded: the same chain through DBOS, which keeps the steps of a program in a database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.chain import STEPS, definition
from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.http_client import Client, free_port, wait_until_served
from benchmarks.runs import PATIENCE, Runs
from benchmarks.scope import Scope, Skipped
from benchmarks.stack import Stack

#: Milliseconds of processor time that decider and database may use for a task.
_CPU_MS = 0.55


def measure_peers(scope: Scope) -> list[Figure]:
    """Measure chains on Postgres: Baton with its workers in another process, DBOS with everything in one."""
    if not _has_dbos():
        raise Skipped("DBOS is not installed: .venv/bin/pip install -c constraints.txt '.[peers]'")
    stack, workflows = scope.stack, scope.at_most(200, quick=30)
    ours: list[Round] = []
    theirs: list[Round] = []
    with stack.decider() as decider, stack.worker(prefetch_multiplier=16) as worker:
        meter = Meter({"decider": [decider], "worker": [worker], **stack.server_processes()})
        runs = Runs(stack, definition())
        for number in range(scope.rounds + 1):
            theirs.append(_dbos(stack, stack.database_url, workflows))
            ours.append(runs.all_of([{}] * workflows, meter, workflows * STEPS))
            scope.tell(f"peers, round {number}: DBOS {theirs[-1].value:,.0f}/s, Baton {ours[-1].value:,.0f}/s")
        runs.close()
    engine = [Round(each.cpu_ms["decider"] + each.cpu_ms["database"]) for each in ours[1:]]
    return [
        Figure("peers: chain, beside DBOS", "tasks/s", ours[1:], theirs[1:], Target("≥", 4, of_ratio=True)),
        Figure("peers: CPU of engine and database", "ms/task", engine, (), Target("≤", _CPU_MS)),
    ]


def measure_embedded(scope: Scope) -> list[Figure]:
    """Measure chains in ``baton dev``, on SQLite and started over HTTP, beside DBOS on SQLite where it is installed."""
    workflows = scope.at_most(200, quick=20)
    ours: list[Round] = []
    theirs: list[Round] = []
    with TemporaryDirectory() as directory:
        port, data = free_port(), str(Path(directory) / "data")
        options = ("--port", str(port), "--data", data, "--app", "benchmarks.worker:app")
        with scope.stack.baton("dev", *options) as dev:
            wait_until_served(port)
            meter = Meter({"server": [dev]})
            with closing(Client(port)) as client:
                client.post("/api/metadata/workflow", json.dumps(definition()).encode())
            for number in range(scope.rounds + 1):
                if _has_dbos():
                    theirs.append(_dbos(scope.stack, f"sqlite:///{directory}/dbos.sqlite", workflows))
                ours.append(_in_dev(port, workflows, meter, workflows * (number + 1)))
                beside = f"DBOS {theirs[-1].value:,.0f}/s, " if theirs else ""
                scope.tell(f"embedded, round {number}: {beside}Baton {ours[-1].value:,.0f}/s")
    return [Figure("embedded: chain on SQLite", "tasks/s", ours[1:], theirs[1:], Target("≥", 3, of_ratio=True))]


def _has_dbos() -> bool:
    return find_spec("dbos") is not None


def _dbos(stack: Stack, url: str, workflows: int) -> Round:
    """Run the chains in a fresh process of DBOS's; return what it printed."""
    database = [str(pid) for pid in stack.server_processes()["database"]]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.dbos_chain", "--url", url, "--workflows", str(workflows),
         "--database-processes", *database],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"DBOS ended with {done.returncode}: {done.stderr[-500:]}")
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    return Round(printed["rate"], printed["cpu_ms"])


def _in_dev(port: int, workflows: int, meter: Meter, ended: int) -> Round:
    """Start chains over HTTP and wait until so many have ended in all; return tasks a second."""
    meter.start()
    began = time.perf_counter()
    with closing(Client(port)) as client:
        for _ in range(workflows):
            client.post("/api/workflow/bench_chain", b"{}")
        while _completed(client) < ended:
            if time.perf_counter() - began > PATIENCE:
                raise TimeoutError(f"fewer than {ended} chains have completed")
            time.sleep(0.05)
    seconds = time.perf_counter() - began
    tasks = workflows * STEPS
    return Round(tasks / seconds, meter.milliseconds_for(tasks))


def _completed(client: Client) -> int:
    found = json.loads(client.get("/api/workflow/search?query=status%3DCOMPLETED&size=1"))
    return int(found["totalHits"])
