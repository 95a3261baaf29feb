"""What lies in a folder is registered, all of it or nothing."""

from __future__ import annotations

import json

import pytest

from engine.errors import BadDefinition
from engine.services.registering import register_folder
from engine.testing.memory_store import MemoryStore
from tests.unit.decider.steps import step

FLOW = {"name": "nap", "tasks": [step("rest")]}
HANDLER = {
    "name": "on-order",
    "event": "amqp_queue:orders",
    "actions": [{"action": "start_workflow", "start_workflow": {"name": "nap"}}],
}
NIGHTLY = {"name": "nightly", "cronExpression": "0 0 2 * * *", "startWorkflowRequest": {"name": "nap"}}


def lay(folder, **rooms):
    for room, document in rooms.items():
        (folder / room).mkdir()
        (folder / room / "a.json").write_text(json.dumps(document))


def test_a_folder_holds_what_starts_its_workflows_too(tmp_path):
    lay(tmp_path, workflows=FLOW, tasks={"name": "rest"}, handlers=HANDLER, schedules=NIGHTLY, inputs={"any": 1})
    store = MemoryStore()
    for _ in range(2):
        register_folder(store, tmp_path)
    with store.transaction() as tx:
        assert [each.name for each in tx.workflow_defs()] == ["nap"]
        assert [each.name for each in tx.event_handlers()] == ["on-order"]
        assert [each.name for each in tx.schedules()] == ["nightly"]
        assert tx.task_defs().keys() == {"rest"}


def test_nothing_is_registered_where_one_of_them_is_wrong(tmp_path):
    lay(tmp_path, workflows=FLOW, schedules={**NIGHTLY, "cronExpression": "soon"})
    store = MemoryStore()
    with pytest.raises(BadDefinition, match=r"schedules/a.json: cronExpression"):
        register_folder(store, tmp_path)
    with store.transaction() as tx:
        assert not tx.workflow_defs()
