"""polls: workers that poll over REST as Conductor's SDKs do, beside a bare route that answers the same bytes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.http_client import Client, completed, free_port, wait_until_served
from benchmarks.runs import PATIENCE, Runs
from benchmarks.scope import Scope
from benchmarks.stack import Stack
from engine.wire.message import Message

#: Workers that poll at the same time.
_POLLERS = 16

#: From the publication of a task until the answer to a poll that waits for it, milliseconds.
_SOON_MS = 10.0

_POLL = "/api/tasks/poll/batch/{}?workerid=bench&count=1&timeout={}"
_UPDATE = "/api/tasks/update-v2"


def _definition(task: str) -> dict[str, object]:
    return {"name": f"{task}_flow", "version": 1, "tasks": [{"name": task, "taskReferenceName": "only"}]}


def measure(scope: Scope) -> list[Figure]:
    """Measure throughput, the time of a poll that finds a task at once, and of one that waits."""
    with ExitStack() as processes:
        stack = scope.stack
        decider = processes.enter_context(stack.decider())
        port = free_port()
        server = processes.enter_context(stack.baton("server", "--port", str(port)))
        wait_until_served(port)
        bare_port = processes.enter_context(_bare(stack, _answers(stack, port)))
        meter = Meter({"server": [server], "decider": [decider], **stack.server_processes()})
        figures = _throughput(scope, port, bare_port, meter)
        figures += _at_once(scope, port, bare_port)
        return [*figures, _waiting(scope, port)]


def _answers(stack: Stack, port: int) -> tuple[bytes, bytes]:
    """Return what the server says to a poll and to an update, to have the bare route say the same."""
    runs, client = Runs(stack, _definition("bench_sample")), Client(port)
    runs.start([{}, {}])
    # The update is to be answered with the other one.
    _until_ready(runs, "bench_sample", 2)
    polled = client.get(_POLL.format("bench_sample", 5_000))
    updated = client.post(_UPDATE, completed(json.loads(polled)[0]))
    client.post(_UPDATE, completed(json.loads(updated)))
    client.close()
    runs.close()
    return polled, updated


@contextmanager
def _bare(stack: Stack, answers: tuple[bytes, bytes]) -> Iterator[int]:
    """Run the bare routes; yield their port."""
    port = free_port()
    with TemporaryDirectory() as directory:
        files = [Path(directory) / name for name in ("polled", "updated")]
        for file, answer in zip(files, answers, strict=True):
            file.write_bytes(answer)
        command = ("-m", "benchmarks.bare_routes", "--port", str(port))
        with stack.python("bare-routes", *command, "--polled", str(files[0]), "--updated", str(files[1])):
            wait_until_served(port)
            yield port


def _throughput(scope: Scope, port: int, bare_port: int, meter: Meter) -> list[Figure]:
    """Measure tasks a second of sixteen workers, and the same requests to the bare route."""
    tasks = scope.at_most(3_000, quick=300)
    runs = Runs(scope.stack, _definition("bench_polled"))
    ours: list[Round] = []
    bare: list[Round] = []
    for number in range(scope.rounds + 1):
        bare.append(_together(bare_port, tasks, lambda: None, Meter({})))
        # Each worker leaves with a task that nobody counts: the one that its last update was answered with.
        runs.start([{}] * (tasks + _POLLERS))
        _until_ready(runs, "bench_polled", tasks + _POLLERS)
        ours.append(_together(port, tasks, lambda: runs.wait(tasks), meter))
        scope.tell(f"polls, round {number}: bare route {bare[-1].value:,.0f}/s, Baton {ours[-1].value:,.0f}/s")
    runs.close()
    return [Figure(f"polls: {_POLLERS} workers, poll and update", "tasks/s", ours[1:], bare[1:])]


def _until_ready(runs: Runs, queue: str, count: int) -> None:
    """Return once so many tasks wait in a queue."""
    deadline = time.monotonic() + PATIENCE
    while (runs.broker.ready(queue) or 0) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"fewer than {count} tasks came into {queue}")
        time.sleep(0.1)


def _together(port: int, tasks: int, ended: Callable[[], None], meter: Meter) -> Round:
    """Have sixteen workers do so many tasks; return how many a second."""
    left, lock = tasks, threading.Lock()

    def more() -> bool:
        nonlocal left
        with lock:
            left -= 1
            return left >= 0

    def work() -> None:
        client = Client(port)
        task = None
        while more():
            # As the SDKs do: what an update is answered with is the next task; a poll where there was none.
            deadline = time.monotonic() + PATIENCE
            while task is None:
                task = next(iter(json.loads(client.get(_POLL.format("bench_polled", 100)))), None)
                if task is None and time.monotonic() > deadline:
                    raise TimeoutError("no task was handed out")
            answer = client.post(_UPDATE, completed(task))
            task = json.loads(answer) if answer else None
        client.close()

    meter.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(_POLLERS) as pool:
        for each in [pool.submit(work) for _ in range(_POLLERS)]:
            each.result()
    seconds = time.perf_counter() - began
    used = meter.milliseconds_for(tasks)
    ended()
    return Round(tasks / seconds, used)


def _at_once(scope: Scope, port: int, bare_port: int) -> list[Figure]:
    """Measure polls that find a task at once, one after the other, and the bare route's."""
    polls = scope.at_most(500, quick=100)
    runs = Runs(scope.stack, _definition("bench_ready"))
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    for number in range(scope.rounds + 1):
        bare.append(_middle_and_p99(_timed(bare_port, polls)))
        runs.start([{}] * polls)
        _until_ready(runs, "bench_ready", polls)
        ours.append(_middle_and_p99(_timed(port, polls)))
        scope.tell(
            f"polls at once, round {number}: bare route {bare[-1][0]:.1f} ms, p99 {bare[-1][1]:.1f}; "
            f"Baton {ours[-1][0]:.1f} ms, p99 {ours[-1][1]:.1f}"
        )
    runs.close()
    return [
        Figure(f"polls: a task at once, {name}", "ms", *([Round(each[index]) for each in side[1:]] for side in both))
        for index, name in enumerate(("p50", "p99"))
        for both in [(ours, bare)]
    ]


def _timed(port: int, polls: int) -> list[float]:
    """Poll so many times; return the milliseconds of each."""
    client, found = Client(port), []
    for _ in range(polls):
        began = time.perf_counter()
        answer = client.get(_POLL.format("bench_ready", 5_000))
        found.append(1_000 * (time.perf_counter() - began))
        if answer == b"[]":
            raise RuntimeError("a poll found nothing although tasks were there")
    client.close()
    return found


def _waiting(scope: Scope, port: int) -> Figure:
    """Measure polls that wait: tasks are taken out of their queue first, and put back while a poll waits."""
    tasks = scope.at_most(100, quick=20)
    runs = Runs(scope.stack, _definition("bench_awaited"))
    rounds = []
    for number in range(scope.rounds):
        messages = _taken_out(runs, "bench_awaited", tasks)
        with ThreadPoolExecutor(1) as pool:
            client = Client(port)
            found = [_awaited(runs, pool, client, message) for message in messages]
            client.close()
        rounds.append(Round(median(found)))
        scope.tell(f"polls that wait, round {number + 1}: median {rounds[-1].value:.1f} ms, slowest {max(found):.1f}")
    runs.close()
    return Figure("polls: publication to a waiting poll", "ms", rounds, (), Target("≤", _SOON_MS))


def _taken_out(runs: Runs, queue: str, tasks: int) -> list[Message]:
    runs.start([{}] * tasks)
    runs.broker.consume(queue, 1_000)
    found: list[Message] = []
    deadline = time.monotonic() + PATIENCE
    while len(found) < tasks:
        deliveries = runs.broker.receive(1_000, 1.0)
        runs.broker.ack(deliveries)
        found += [each.message for each in deliveries if each.queue == queue]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{tasks - len(found)} tasks were not dispatched")
    runs.broker.cancel(queue)
    return found


def _awaited(runs: Runs, pool: ThreadPoolExecutor, client: Client, message: Message) -> float:
    """Put a task into its queue while a poll waits; return the milliseconds until the answer."""

    def poll() -> float:
        answer = client.get(_POLL.format("bench_awaited", 5_000))
        if answer == b"[]":
            raise RuntimeError("a poll that waited got nothing")
        return time.perf_counter()

    answered = pool.submit(poll)
    deadline = time.monotonic() + PATIENCE
    while not runs.broker.consumers("bench_awaited"):
        if time.monotonic() > deadline:
            raise TimeoutError("the server does not consume for a poll that waits")
        time.sleep(0.01)
    # The poll is on its way, but may not have arrived where the server consumed already.
    time.sleep(0.03)
    began = time.perf_counter()
    runs.broker.publish([message])
    return 1_000 * (answered.result(PATIENCE) - began)


def _middle_and_p99(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100)
    return cuts[49], cuts[98]
