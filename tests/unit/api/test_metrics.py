"""Figures for Prometheus: what the database and the broker say, and what is said while one of them is away."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.errors import StoreUnavailable
from engine.model.execution import Task, Workflow
from engine.model.status import WorkflowStatus
from engine.store.port import Save
from engine.wire.message import Message


def figures(client):
    text = client.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def runs(store):
    with store.transaction() as tx:
        tx.put_snapshot({"h": check_workflow({"name": "order", "tasks": [{"name": "a", "taskReferenceName": "a"}]})})
        tx.note_queues(["pack"])
        for number, status in enumerate((WorkflowStatus.RUNNING, WorkflowStatus.RUNNING, WorkflowStatus.FAILED)):
            run = Workflow(
                id=f"w{number}",
                name="order",
                version=1,
                definition_hash="h",
                status=status,
                version_no=1,
                # Forty seconds before the time that the clock of these tests shows.
                wake_at=Instant(1_699_999_960_000_000),
            )
            task = Task(workflow_id=run.id, seq=1, ref="a", type="SIMPLE", name="pack", queue="pack")
            tx.save([Save(workflow=run, loaded_version=None, inserted=[task])])


def test_runs_tasks_queues_and_what_is_late_are_counted(client, hub, runs):
    outside = hub.connect()
    outside.publish([Message(queue="pack", body=b"{}"), Message(queue="pack", body=b"{}")])

    found = figures(client)

    assert found["baton_workflows", "RUNNING"] == 2
    assert found["baton_workflows", "FAILED"] == 1
    assert found["baton_open_tasks", "pack", "SCHEDULED"] == 2
    assert found["baton_queue_ready", "pack"] == 2
    assert found["baton_wake_lag_seconds",] == 40
    assert (found["baton_up", "database"], found["baton_up", "broker"]) == (1, 1)


def test_counts_are_given_out_again_for_some_seconds(client, store, runs):
    before = figures(client)
    with store.transaction() as tx:
        tx.note_queues(["more"])

    assert figures(client) == before


def test_what_cannot_be_reached_is_said_and_left_out(client, store, monkeypatch):
    def away():
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "transaction", away)

    found = figures(client)

    assert found["baton_up", "database"] == 0
    assert not [name for name in found if name[0] == "baton_workflows"]
