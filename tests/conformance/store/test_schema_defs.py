"""Schemas are kept by name and version."""

from __future__ import annotations

from engine.model.schema_def import SchemaDef
from engine.store.port import Store


def a_schema(name: str = "order", version: int = 1, **data: object) -> SchemaDef:
    return SchemaDef.model_validate({"name": name, "version": version, "data": {"z": 1, "a": "é\0", **data}})


def put(store: Store, *schemas: SchemaDef) -> None:
    with store.transaction() as transaction:
        transaction.put_schemas(schemas)


def test_schemas_come_back_whole_by_name_and_version(store: Store) -> None:
    put(store, a_schema("b"), a_schema(version=10), a_schema(version=9))
    with store.transaction() as transaction:
        assert list(transaction.schemas()) == [("b", 1), ("order", 9), ("order", 10)]
        assert transaction.schemas([("order", 9), ("b", 2)]) == {("order", 9): a_schema(version=9)}
        assert transaction.schemas([]) == {}


def test_the_same_version_is_replaced(store: Store) -> None:
    put(store, a_schema())
    put(store, a_schema(new=True), a_schema(newest=True))
    with store.transaction() as transaction:
        assert transaction.schemas() == {("order", 1): a_schema(newest=True)}


def test_the_highest_number_is_the_latest(store: Store) -> None:
    put(store, a_schema(version=10), a_schema(version=9), a_schema("z", 11))
    with store.transaction() as transaction:
        assert transaction.latest_schema("order") == a_schema(version=10)
        assert transaction.latest_schema("nobody") is None


def test_a_further_version_stands_behind_the_latest(store: Store) -> None:
    put(store, a_schema(version=7))
    with store.transaction() as transaction:
        assert transaction.add_schema_version(a_schema(version=3, new=True)) == 8
        assert transaction.add_schema_version(a_schema("z", 3)) == 1
        assert list(transaction.schemas()) == [("order", 7), ("order", 8), ("z", 1)]
        assert transaction.latest_schema("order") == a_schema(version=8, new=True)


def test_one_version_is_forgotten_or_all_of_them(store: Store) -> None:
    put(store, a_schema(version=1), a_schema(version=2), a_schema(version=3), a_schema("z"))
    with store.transaction() as transaction:
        assert transaction.drop_schemas("order", 2)
        assert not transaction.drop_schemas("order", 2)
        assert not transaction.drop_schemas("order", 10**30)
        assert list(transaction.schemas()) == [("order", 1), ("order", 3), ("z", 1)]
        assert transaction.drop_schemas("order")
        assert not transaction.drop_schemas("order")
        assert list(transaction.schemas()) == [("z", 1)]


def test_whoever_keeps_definitions_notices_that_schemas_have_changed(store: Store) -> None:
    def mark() -> str:
        with store.transaction() as transaction:
            return transaction.catalog_version()

    marks = [mark()]
    put(store, a_schema())
    marks.append(mark())
    with store.transaction() as transaction:
        transaction.drop_schemas("order")
    marks.append(mark())
    assert len(set(marks)) == 3
