"""What the road itself does for a task, counted: functions called outside of the decision, as many on any machine."""

from __future__ import annotations

from pathlib import Path
from types import FrameType

from engine.decider.decide import decide
from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.transaction import SqlStore
from engine.testing.harness import Harness, result_message
from engine.wire.message import Delivery, Message
from tests.profiled import profiled

#: Python functions called to carry a result that brings the next task of a chain, in a batch of twenty, on SQLite and
#: with the broker in memory: from the delivery to the ack, the batch's own among them, the decision left out. It is
#: what it takes, plus a few: who needs more shall know, and look into ``docs/performance.md`` for what else could go.
MOST_CALLS = 150

RUNS = 20


class Calls:
    """Python functions called, those left out that one of them calls."""

    def __init__(self) -> None:
        self.number = 0
        self._inside = 0

    def count(self, frame: FrameType, event: str, _argument: object) -> None:
        if frame.f_code is decide.__code__ and event in ("call", "return"):
            self._inside += 1 if event == "call" else -1
        elif not self._inside:
            self.number += event == "call"


def done(delivery: Delivery) -> Message:
    body = {"task_id": delivery.message.headers["id"], "status": "SUCCESS", "result": {"n": 1}, "traceback": None}
    return result_message(delivery, body)


def test_a_task_takes_the_road_so_many_calls_and_no_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    migrate(url)
    harness, calls = Harness(store=SqlStore(open_database(url, 1))), Calls()
    harness.register({"name": "chain", "tasks": [{"name": "same", "taskReferenceName": f"t{n}"} for n in range(10)]})
    for _ in range(RUNS):
        harness.start("chain", {})

    def step() -> None:
        harness._outside.publish([done(each) for each in harness.take("same")])
        deliveries = harness.arrived()
        assert len(deliveries) == RUNS
        with profiled(calls.count):
            harness.executor.handle(deliveries)

    for _ in range(4):
        calls.number = 0
        step()
    assert 0 < calls.number / RUNS <= MOST_CALLS
    harness.store.close()
