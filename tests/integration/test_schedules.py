"""A schedule on a real database and broker, with two timekeepers that share it: each second has one run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from engine.api import schedules
from engine.broker.opening import open_broker
from engine.clock import SECOND, SystemClock
from engine.config import Settings
from engine.decider.validate import check_workflow
from engine.services.decider import RoadService
from engine.services.stopping import Stop
from engine.services.timekeeper import Timekeeper
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import WorkflowQuery
from engine.store.schedule_port import ExecutionQuery

#: Seconds for a run to come to its end; it takes milliseconds.
PATIENCE = 90


@contextmanager
def a_system(settings: Settings) -> Iterator[None]:
    """Let a decider and two timekeepers work."""
    stop = Stop()
    clock = SystemClock()

    def decider() -> None:
        store, broker = open_store(settings.database_url), open_broker(settings.broker_url)
        RoadService(store, broker, settings, stop, clock=clock, starter=False).run()
        store.close()

    def timekeeper() -> None:
        store, broker = open_store(settings.database_url), open_broker(settings.broker_url)
        Timekeeper(store, broker, settings, stop, clock=clock).run()
        store.close()

    threads = [threading.Thread(target=each) for each in (decider, timekeeper, timekeeper)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.now()
        for thread in threads:
            thread.join(PATIENCE)


def test_each_second_has_one_run_however_many_timekeepers_look(postgres_url: str, rabbitmq_url: str) -> None:
    migrate(postgres_url)
    settings = Settings(database_url=postgres_url, broker_url=rabbitmq_url, partitions=2)
    store, listener = open_store(postgres_url), open_broker(rabbitmq_url)
    listener.subscribe("workflow.completed.tick", "baton.reply.listener")
    listener.consume("baton.reply.listener", 100)
    step = {"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}
    with store.transaction() as transaction:
        transaction.register_workflow(check_workflow({"name": "tick", "tasks": [step]}), overwrite=True)
    document = {"name": "ticks", "cronExpression": "* * * * * *", "startWorkflowRequest": {"name": "tick"}}
    schedules.save(store, document, SystemClock().now())
    ended: list[str] = []
    with a_system(settings):
        while len(ended) < 4:
            arrived = listener.receive(100, PATIENCE)
            assert arrived, "no run has come to its end"
            listener.ack(arrived)
            ended += [msgspec.json.decode(each.message.body)["workflowId"] for each in arrived]
    listener.close()
    with store.transaction() as transaction:
        _, executions = transaction.executions(ExecutionQuery())
        _, runs = transaction.find(WorkflowQuery())
    store.close()
    dates = [each.at for each in reversed(executions)]
    assert dates == [dates[0] + number * SECOND for number in range(len(dates))]
    assert len(set(ended)) == len(ended)
    assert set(ended) <= {each.id for each in executions}
    assert {run.id for run in runs} <= {each.id for each in executions}
