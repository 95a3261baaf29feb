"""Runs under measurement: registers workflows, starts many at once, and is told when they have ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy

from benchmarks.cpu import Meter
from benchmarks.figure import Round
from benchmarks.stack import Stack
from engine.broker.opening import open_broker
from engine.decider.validate import check_workflow
from engine.identifier import new_id
from engine.model.event import StartWorkflow
from engine.wire.message import START_QUEUE
from engine.wire.start_message import encode_start

#: Seconds after which runs that have not ended are given up.
PATIENCE = 900


class Runs:
    """The client's side of every scenario; one connection, which belongs to one thread."""

    def __init__(self, stack: Stack, *definitions: Mapping[str, Any]) -> None:
        self._stack = stack
        self.broker = open_broker(stack.broker_url)
        with stack.store.transaction() as transaction:
            for each in definitions:
                transaction.register_workflow(check_workflow(dict(each)), overwrite=True)
        # Children end too, and are not waited for: only the first workflow's ends are listened to.
        self._name = str(definitions[0]["name"])
        listener = f"baton.replies.{self._name}"
        self.broker.subscribe(f"workflow.*.{self._name}", listener)
        self.broker.consume(listener, 10_000)

    def start(self, inputs: Sequence[Mapping[str, Any]], name: str | None = None) -> list[str]:
        """Publish a start message for each input and wait for the confirms; return the ids of the runs."""
        ids = [new_id() for _ in inputs]
        starts = [
            StartWorkflow(event_id=identity, workflow_id=identity, name=name or self._name, input=dict(given))
            for identity, given in zip(ids, inputs, strict=True)
        ]
        self.broker.publish([encode_start(start) for start in starts])
        return ids

    def wait(self, count: int) -> None:
        """Return once that many runs have completed; raise when one fails, or nothing has happened for long."""
        deadline = time.monotonic() + PATIENCE
        while count:
            found = self.broker.receive(1_000, 1.0)
            self.broker.ack(found)
            for each in found:
                status = str(each.message.queue).split(".")[1]
                if status in ("failed", "terminated", "timed_out"):
                    raise RuntimeError(f"a run of {self._name} has {status}; see {self._stack.logs}")
                count -= status == "completed"
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} runs of {self._name} did not complete; see {self._stack.logs}")

    def begun(self, count: int) -> None:
        """Return once that many runs are stored; it looks once a second, because status messages may be dropped.

        Runs are counted only when the queue is empty, or counting a million would be a part of what is measured.
        """
        deadline, before = time.monotonic() + PATIENCE, count
        while (left := self.broker.ready(START_QUEUE)) or self._stored() < count:
            if left and left < before:
                deadline, before = time.monotonic() + PATIENCE, left
            if time.monotonic() > deadline:
                raise TimeoutError(f"fewer than {count} runs of {self._name} have begun; see {self._stack.logs}")
            time.sleep(1.0)

    def _stored(self) -> int:
        database = sqlalchemy.create_engine(self._stack.database_url)
        with database.connect() as connection:
            counted = connection.scalar(
                sqlalchemy.text("SELECT count(*) FROM workflow WHERE name = :name"), {"name": self._name}
            )
        database.dispose()
        return int(counted or 0)

    def all_of(self, inputs: Sequence[Mapping[str, Any]], meter: Meter, tasks: int) -> Round:
        """Start a run for each input, wait until all have completed; return tasks a second, and CPU for each task."""
        meter.start()
        began = time.perf_counter()
        self.start(inputs)
        self.wait(len(inputs))
        seconds = time.perf_counter() - began
        return Round(tasks / seconds, meter.milliseconds_for(tasks))

    def close(self) -> None:
        """Close the connection."""
        self.broker.close()
