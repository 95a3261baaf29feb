"""Definitions are kept by name and version, snapshots by their hash."""

from __future__ import annotations

import pytest

from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask
from engine.store.port import Store


def a_definition(name: str = "order", version: int = 1, **fields: object) -> WorkflowDef:
    step = WorkflowTask(name="pack", task_reference_name="pack_ref", input_parameters={"z": "\0", "a": "é"})
    return WorkflowDef.model_validate({"name": name, "version": version, "tasks": (step,)} | fields)


def register(store: Store, *definitions: WorkflowDef) -> None:
    with store.transaction() as transaction:
        for definition in definitions:
            assert transaction.register_workflow(definition, overwrite=False)


def test_a_registered_definition_comes_back_whole(store: Store) -> None:
    register(store, a_definition(description="what it does"))
    with store.transaction() as transaction:
        assert transaction.workflow_def("order", 1) == a_definition(description="what it does")


def test_without_a_version_the_highest_number_is_meant(store: Store) -> None:
    register(store, a_definition(version=2), a_definition(version=10), a_definition(version=9), a_definition("z"))
    with store.transaction() as transaction:
        assert transaction.workflow_def("order", None) == a_definition(version=10)
        assert transaction.workflow_def("order", 9) == a_definition(version=9)


@pytest.mark.parametrize(
    ("name", "version"), [("nobody", 1), ("nobody", None), ("order", 7), ("order", 10**30), ("\0", 1)]
)
def test_what_was_never_registered_is_not_found(store: Store, name: str, version: int | None) -> None:
    register(store, a_definition())
    with store.transaction() as transaction:
        assert transaction.workflow_def(name, version) is None
        assert not transaction.unregister_workflow(name, version or 0)


def test_a_version_is_replaced_only_when_that_is_asked_for(store: Store) -> None:
    register(store, a_definition())
    with store.transaction() as transaction:
        assert not transaction.register_workflow(a_definition(description="new"), overwrite=False)
        assert transaction.workflow_def("order", 1) == a_definition()
        assert transaction.register_workflow(a_definition(description="new"), overwrite=True)
        assert transaction.workflow_def("order", 1) == a_definition(description="new")


def test_all_definitions_come_by_name_and_version(store: Store) -> None:
    register(store, a_definition("b", 10), a_definition("a", 3), a_definition("b", 9))
    with store.transaction() as transaction:
        assert [(each.name, each.version) for each in transaction.workflow_defs()] == [("a", 3), ("b", 9), ("b", 10)]
        assert [(each.name, each.version) for each in transaction.workflow_defs("b")] == [("b", 9), ("b", 10)]
        assert transaction.workflow_defs("c") == ()


def test_a_version_can_be_forgotten(store: Store) -> None:
    register(store, a_definition(version=1), a_definition(version=2))
    with store.transaction() as transaction:
        assert transaction.unregister_workflow("order", 2)
        assert not transaction.unregister_workflow("order", 2)
        assert transaction.workflow_def("order", None) == a_definition(version=1)


def test_task_definitions_of_the_same_name_are_replaced(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.register_tasks([TaskDef(name="pack"), TaskDef(name="ship", retry_count=7)])
        transaction.register_tasks([TaskDef(name="pack", retry_count=1), TaskDef(name="pack", retry_count=2)])
        transaction.register_tasks([])
        assert transaction.task_defs() == {
            "pack": TaskDef(name="pack", retry_count=2),
            "ship": TaskDef(name="ship", retry_count=7),
        }
        assert transaction.task_defs(["ship", "unknown"]).keys() == {"ship"}
        assert transaction.task_defs([]) == {}


def test_a_task_definition_can_be_forgotten(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.register_tasks([TaskDef(name="pack")])
        assert transaction.unregister_task("pack")
        assert not transaction.unregister_task("pack")
        assert transaction.task_defs() == {}


def test_snapshots_that_are_there_are_left_alone(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.put_snapshot({"h1": a_definition()})
        transaction.put_snapshot({"h1": a_definition(version=2), "h2": a_definition(version=3)})
        transaction.put_snapshot({})
        assert transaction.snapshots(["h1", "h2", "h3"]) == {"h1": a_definition(), "h2": a_definition(version=3)}
        assert transaction.snapshots([]) == {}


def test_every_change_of_what_is_registered_changes_the_catalogs_version(store: Store) -> None:
    seen = []
    changes = [
        lambda transaction: None,
        lambda transaction: transaction.register_workflow(a_definition(), overwrite=False),
        lambda transaction: transaction.register_workflow(a_definition(description="new"), overwrite=True),
        lambda transaction: transaction.register_tasks([TaskDef(name="pack")]),
        lambda transaction: transaction.unregister_task("pack"),
        lambda transaction: transaction.unregister_workflow("order", 1),
    ]
    for make in changes:
        with store.transaction() as transaction:
            make(transaction)
        with store.transaction() as transaction:
            seen.append(transaction.catalog_version())
            assert transaction.catalog_version() == seen[-1]
    assert len(set(seen)) == len(changes)
