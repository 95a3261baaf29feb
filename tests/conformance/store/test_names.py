"""Names that differ in a capital, an accent or a space at the end are different names, in one order everywhere."""

from __future__ import annotations

import pytest

from engine.model.definition import TaskDef, WorkflowDef
from engine.model.request import Outcome, Request
from engine.store.port import LoggedRequest, Store, WorkflowQuery
from tests.conformance.store.runs import MOMENT, a_run, a_task, create, load

ALIKE = ("pack", "Pack", "pack ", " pack", "päck", "PACK", "pack\t", "ｐａｃｋ")


def test_runs(store: Store) -> None:
    assert create(store, *map(a_run, ALIKE), tasks=[a_task(name) for name in ALIKE]) == set(ALIKE)
    for name in ALIKE:
        assert load(store, name).workflow.id == name
        assert [task.workflow_id for task in load(store, name).tasks] == [name]
    with store.transaction() as transaction:
        assert transaction.open_workflow_ids("", 100) == tuple(sorted(ALIKE))


def test_runs_after_one(store: Store) -> None:
    create(store, *map(a_run, ALIKE))
    with store.transaction() as transaction:
        for name in ALIKE:
            assert transaction.open_workflow_ids(name, 100) == tuple(each for each in sorted(ALIKE) if each > name)


@pytest.mark.parametrize("field", ["name", "correlation_id", "parent_id"])
def test_what_is_searched_for(store: Store, field: str) -> None:
    create(store, *(a_run(str(number), **{field: name}) for number, name in enumerate(ALIKE)))
    with store.transaction() as transaction:
        for number, name in enumerate(ALIKE):
            count, found = transaction.find(WorkflowQuery(**{field: name}))
            assert (count, [run.id for run in found]) == (1, [str(number)])


def test_definitions(store: Store) -> None:
    with store.transaction() as transaction:
        for name in ALIKE:
            definition = WorkflowDef.model_validate({"name": name, "version": 1, "tasks": []})
            assert transaction.register_workflow(definition, overwrite=False)
            assert not transaction.register_workflow(definition, overwrite=False)
        transaction.register_tasks([TaskDef(name=name) for name in ALIKE])
        assert transaction.task_defs().keys() == set(ALIKE)
        assert transaction.task_defs(["pack "]).keys() == {"pack "}
        assert [each.name for each in transaction.workflow_defs()] == sorted(ALIKE)


def test_queues_settings_and_owners_of_leases(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.note_queues(ALIKE)
        assert transaction.queue_names() == tuple(sorted(ALIKE))
        for name in ALIKE:
            assert transaction.put_setting(name, name) == name
            transaction.share_leases(name, MOMENT, 30, 8)
        shares = [transaction.share_leases(name, MOMENT, 30, 8) for name in ALIKE]
        assert sorted(number for share in shares for number in share) == list(range(8))


def test_the_audit_trail(store: Store) -> None:
    with store.transaction() as transaction:
        lines = [
            LoggedRequest(Request(event_id=f"of {name}", workflow_id=name, verb="pause"), Outcome(granted=True), MOMENT)
            for name in ALIKE
        ]
        transaction.log_requests(lines)
        for line in lines:
            assert transaction.requests(line.request.workflow_id) == (line,)
