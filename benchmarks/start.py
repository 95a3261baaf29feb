"""start: start messages until every run is stored and its first task dispatched, beside publishing alone."""

from __future__ import annotations

import time
from contextlib import ExitStack

import msgspec

from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import PATIENCE, Runs
from benchmarks.scope import Scope
from engine.broker.port import Broker
from engine.identifier import new_id
from engine.model.event import StartWorkflow
from engine.wire.start_message import encode_start

#: Nobody serves this queue, so that its messages are the dispatched tasks.
_PARKED = "bench_parked"

_DEFINITION = {"name": "bench_start", "version": 1, "tasks": [{"name": _PARKED, "taskReferenceName": "parked"}]}


def measure(scope: Scope) -> list[Figure]:
    """Measure a decider and a starter against the broker's own rate of confirmed messages."""
    stack, starts = scope.stack, scope.at_most(20_000, quick=1_000)
    ours: list[Round] = []
    bare: list[Round] = []
    with ExitStack() as processes:
        decider = processes.enter_context(stack.decider())
        starter = processes.enter_context(stack.baton("starter"))
        meter = Meter({"decider": [decider, starter], **stack.server_processes()})
        runs = Runs(stack, _DEFINITION)
        runs.broker.consume(_PARKED, 1_000)
        for number in range(scope.rounds + 1):
            bare.append(_publish_only(runs.broker, starts))
            meter.start()
            began = time.perf_counter()
            runs.start([{}] * starts)
            _collect(runs.broker, starts)
            ours.append(Round(starts / (time.perf_counter() - began), meter.milliseconds_for(starts)))
            scope.tell(f"start, round {number}: {bare[-1].value:,.0f}/s published, {ours[-1].value:,.0f}/s started")
        runs.close()
    return [Figure("start", "runs/s", ours[1:], bare[1:], Target("≥", 2_000))]


def _publish_only(broker: Broker, count: int) -> Round:
    """Publish as many start messages to a durable queue that nobody reads; return how many were confirmed a second."""
    began = time.perf_counter()
    ids = [new_id() for _ in range(count)]
    starts = (StartWorkflow(event_id=each, workflow_id=each, name="bench_start", input={}) for each in ids)
    broker.publish([msgspec.structs.replace(encode_start(start), queue="bench_nobody") for start in starts])
    return Round(count / (time.perf_counter() - began))


def _collect(broker: Broker, tasks: int) -> None:
    """Take dispatched tasks until there were so many."""
    deadline = time.monotonic() + PATIENCE
    while tasks:
        found = broker.receive(1_000, 1.0)
        broker.ack(found)
        tasks -= sum(1 for each in found if each.queue == _PARKED)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{tasks} tasks were not dispatched")
