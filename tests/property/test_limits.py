"""Whatever happens on the road, slots and tasks say the same: never too many are out, and nobody waits for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import after
from engine.config import Settings
from engine.decider.validate import check_task
from engine.errors import BrokerUnavailable, StoreUnavailable
from engine.model.event import Wake
from engine.model.execution import Task
from engine.model.status import Slot, TaskStatus, WorkflowStatus
from engine.services.rescuer import Rescuer
from engine.testing.harness import Harness, result_message
from engine.wire.message import Delivery, Message
from engine.wire.request_message import encode_wake

pytestmark = pytest.mark.timeout(120)

stories = st.lists(st.integers(0, 10_000), max_size=80)
_settings = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

_SCARCE = {"name": "scarce", "retryCount": 2, "retryDelaySeconds": 1, "responseTimeoutSeconds": 3_000}
_RARE = {"name": "rare", "rateLimitPerFrequency": 2, "rateLimitFrequencyInSeconds": 5, "concurrentExecLimit": 3}


def _work(ref: str, name: str, **fields: object) -> dict[str, object]:
    return {"name": name, "taskReferenceName": ref, "type": "SIMPLE", **fields}


def _fork(*refs: str) -> list[dict[str, object]]:
    branches = [[_work(ref, ("scarce", "rare")[number % 2], optional=True)] for number, ref in enumerate(refs)]
    fork = {"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": branches}
    return [fork, {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": list(refs)}]


_WORKFLOWS = (
    {"name": "w0", "tasks": [_work("a", "scarce"), _work("b", "plenty"), _work("c", "rare")]},
    {"name": "w1", "tasks": [*_fork("a", "b", "c", "d"), _work("e", "scarce")]},
    {"name": "w2", "tasks": [_work("a", "scarce", startDelay=2), _work("b", "scarce")]},
)
_STATES = ("SUCCESS",) * 5 + ("FAILURE", "PROGRESS")
_VERBS = ("terminate", "retry", "pause", "resume", "retry", "resume")


class _Losses:
    """Loses the line to the broker, or a commit, when told to, before or after it has worked."""

    def __init__(self, harness: Harness) -> None:
        self.kind: str | None = None
        self._publish, self._transaction = harness.road.publish, harness.store.transaction
        harness.road.publish = self._lossy  # type: ignore[method-assign]

    def _lossy(self, messages: Sequence[Message]) -> None:
        kind, self.kind = self.kind, None
        if kind == "half":
            self._publish(messages[: len(messages) // 2])
        elif kind == "all" or kind is None:
            self._publish(messages)
        if kind is not None:
            raise BrokerUnavailable(f"the line was cut: {kind}")


class _Story:
    """Drives an engine through a story: crashes, doubled and late news, workers of every kind, other deciders."""

    def __init__(self, story: list[int]) -> None:
        self.harness = Harness(settings=Settings(cache_workflows=2, batch_size=3))
        self.limit = 2
        self.harness.register(*_WORKFLOWS, tasks=[_SCARCE | {"concurrentExecLimit": 2}, _RARE, {"name": "plenty"}])
        self.losses = _Losses(self.harness)
        self.at_work: list[Delivery] = []
        self._story = story

    def tell(self) -> None:
        for number in self._story:
            self._happen(*divmod(number, 12))
            self.look()
        self.end()

    def _happen(self, number: int, kind: int) -> None:
        harness = self.harness
        if kind <= 1:
            self._carry(lambda: self._start(number))
        elif kind <= 5:
            self.take()
            if self.at_work:
                self._answer(self.at_work[number % len(self.at_work)], _STATES[number % len(_STATES)])
        elif kind == 6:
            self.losses.kind = ("none", "half", "all")[number % 3]
        elif kind == 7 and self.runs:
            verb, run = _VERBS[number % len(_VERBS)], self.runs[number % len(self.runs)]
            self._carry(lambda: harness.request(run, verb))
        elif kind == 8:
            harness.restart_decider()
        elif kind == 9:
            self._carry(lambda: harness.advance((0.1, 1, 3, 6)[number % 4]))
        elif kind == 10:
            self.define((1, 2, 4)[number % 3])
        else:
            self._carry(lambda: Rescuer(harness.store, harness.broker.connect(), harness.clock, 1).look())

    def define(self, limit: int) -> None:
        self.limit = max(self.limit, limit)
        with self.harness.store.transaction() as transaction:
            transaction.register_tasks([check_task(_SCARCE | {"concurrentExecLimit": limit})])

    def _start(self, number: int) -> None:
        self.harness.clock.advance(0.001)
        self.harness.start(f"w{number % 3}", priority=number % 100)

    def _answer(self, delivery: Delivery, status: str) -> None:
        if status != "PROGRESS":
            self.at_work.remove(delivery)
        result = {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "b"} if status == "FAILURE" else {}
        body = {"task_id": delivery.message.headers["id"], "status": status, "result": result, "traceback": None}
        message = result_message(delivery, body)
        self._carry(lambda: self.harness.publish(message))

    def _carry(self, happen: object) -> None:
        """Let it happen; a line that is lost meanwhile is restored, and what was not acked comes again."""
        try:
            happen()  # type: ignore[operator]
        except (BrokerUnavailable, StoreUnavailable, AssertionError) as error:
            if isinstance(error, AssertionError) and "was not answered" not in str(error):
                raise
            self.harness.road.reconnect()
            self.harness.carry()

    def take(self) -> None:
        self.at_work += self.harness.take("scarce", "rare", "plenty")

    @property
    def runs(self) -> list[str]:
        return list(self.harness.store._tables.workflows)

    def tasks(self) -> list[Task]:
        tables = self.harness.store._tables
        return [task for rows in tables.tasks.values() for task in rows.values()]

    def look(self) -> None:
        """Slots and tasks say the same, and no more are out than may be."""
        slots = self.harness.store._tables.slots
        rows = {(task.workflow_id, task.seq): task for task in self.tasks()}
        for key, task in rows.items():
            if task.slot is Slot.HELD:
                assert slots[key].is_held, f"{task.id} is out and has no slot"
            if task.slot is Slot.WAITING:
                assert key in slots and not slots[key].released_at, f"{task.id} waits and does not stand in line"
            if task.name in ("scarce", "rare") and task.status.is_open and task.dispatched:
                assert task.slot is Slot.HELD, f"{task.id} went out without a slot"
            assert task.slot is Slot.NONE or task.status.is_open
        for key, slot in slots.items():
            assert slot.released_at or rows[key].slot is not Slot.NONE, f"the slot of {key} was left lying"
        out = [task for task in rows.values() if task.name == "scarce" and task.slot is Slot.HELD]
        assert len(out) <= self.limit
        assert len([task for task in rows.values() if task.name == "rare" and task.slot is Slot.HELD]) <= 3
        starts = sorted(slot.granted_at for slot in slots.values() if slot.task.limit == "rare" and slot.granted_at)
        for first, third in zip(starts, starts[2:], strict=False):
            assert third >= after(first, 5), "three starts within five seconds"

    def end(self) -> None:
        """Let everybody be quick and successful: every run ends, and no slot is left."""
        harness = self.harness
        self.losses.kind = None
        self._carry(harness.carry)
        for run in self.runs:
            if harness.run(run).status is WorkflowStatus.PAUSED:
                harness.request(run, "resume")
        for _ in range(400):
            self.look()
            self.take()
            if not any(harness.run(run).status.is_open for run in self.runs):
                break
            while self.at_work:
                self._answer(self.at_work[0], "SUCCESS")
                self.look()
            harness.advance(0.5)
        assert not [task for task in self.tasks() if task.status in (TaskStatus.SCHEDULED, TaskStatus.IN_PROGRESS)]
        assert not [key for key, slot in harness.store._tables.slots.items() if not slot.released_at]


@_settings
@given(stories)
def test_slots_and_tasks_say_the_same_whatever_happens_and_everybody_gets_their_turn(story):
    _Story(story).tell()


@_settings
@given(stories)
def test_a_broker_that_loses_everything_loses_no_slot(story):
    teller = _Story(story)
    teller.tell()
    for _ in range(3):
        teller.harness.start("w1")
    teller.take()
    teller.at_work.clear()
    for run in teller.runs:
        wake = Wake(event_id=f"resend {run}", workflow_id=run, resend=True)
        teller.harness.publish(encode_wake(wake, 1))
        teller.look()
    teller.end()
