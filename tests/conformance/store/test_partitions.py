"""Partitioned tables on Postgres: made with the first migration or of full tables, and each run is in one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg import sql
from sqlalchemy import event, inspect, text

from engine.clock import Instant
from engine.errors import BadConfiguration, Refused
from engine.store import open_store
from engine.store.database import open_database
from engine.store.migrate import migrate, partition, pending, take_away
from engine.store.port import Save, Store
from engine.store.presence import sign_of_life, this_process
from engine.store.schema import metadata
from engine.store.transaction import SqlStore
from tests.conformance.store.runs import MOMENT, a_run, a_task, change, create, load, save
from tests.conformance.store.test_migrations import is_ours

PARTS = 4

pytestmark = pytest.mark.servers


@pytest.fixture
def database(migrated_partitioned: str) -> Iterator[sqlalchemy.Engine]:
    opened = open_database(migrated_partitioned, 1)
    yield opened
    opened.dispose()


def is_whole(name: str | None, kind: str, parents: object) -> bool:
    return is_ours(name, kind, parents) and not (kind == "table" and "_part_" in str(name))


def test_partitioned_tables_have_every_column_and_index_that_is_declared(database: sqlalchemy.Engine) -> None:
    with database.connect() as connection:
        options = {"compare_server_default": True, "include_name": is_whole}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        found = inspect(connection)
        assert {len([each for each in found.get_table_names() if each.startswith(f"{name}_part_")]) for name in
                ("workflow", "task")} == {PARTS}  # fmt: skip
        for part in ("workflow_part_0", "workflow_part_3"):
            assert len(found.get_indexes(part)) == len(found.get_indexes("workflow"))
        fills = connection.scalars(text("SELECT reloptions FROM pg_class WHERE relname LIKE 'task_part_%' LIMIT 1"))
        assert fills.one() == ["fillfactor=50"]


def scanned(database: sqlalchemy.Engine, act: Any) -> list[tuple[str, list[str]]]:
    """Return for each statement of ``act`` its first word, and the partitions that were looked into for it."""
    seen: list[tuple[str, list[str]]] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")):
            return
        # Prepared, as it is in the end: the plan then knows no values, and has to find the partition as it runs.
        values = ", ".join(sql.Literal(each).as_string(None) for each in parameters)
        with connection.connection.cursor() as beside:
            beside.execute("SAVEPOINT explained")
            beside.execute(f"PREPARE explained AS {statement}")
            given = f"({values})" if values else ""
            beside.execute(f"EXPLAIN (FORMAT JSON, ANALYZE, TIMING OFF) EXECUTE explained{given}")
            found = beside.fetchone()[0]
            beside.execute("DEALLOCATE explained")
            beside.execute("ROLLBACK TO SAVEPOINT explained")
        plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
        seen.append((statement.split()[0], sorted(_parts(plan))))

    event.listen(database, "before_cursor_execute", explain)
    try:
        act(SqlStore(database))
    finally:
        event.remove(database, "before_cursor_execute", explain)
    return seen


def _parts(plan: dict[str, Any]) -> set[str]:
    name = plan.get("Relation Name", "")
    own = {name} if "_part_" in name and plan["Actual Loops"] and "Scan" in plan["Node Type"] else set()
    return own.union(*(_parts(each) for each in plan.get("Plans", ())))


def test_what_is_asked_of_a_run_by_its_id_looks_into_its_own_partition(database: sqlalchemy.Engine) -> None:
    run, task = a_run(), a_task()

    def road(store: Store) -> None:
        create(store, run, tasks=[task])
        load(store)
        save_again(store)

    def save_again(store: Store) -> None:
        save(store, Save(workflow=change(run), loaded_version=1, updated=[task], inserted=[a_task(seq=2)]))
        with store.transaction() as transaction:
            transaction.run("run")
            transaction.tasks_by_seq("run", {1})

    try:
        for word, parts in scanned(database, road):
            workflows = [part for part in parts if part.startswith("workflow")]
            tasks = [part for part in parts if part.startswith("task_part")]
            assert (len(workflows) <= 1, len(tasks) <= 1) == (True, True), (word, parts)
    finally:
        with database.begin() as connection:
            for name in ("task", "workflow"):
                connection.execute(text(f"DELETE FROM {name}"))


def test_full_tables_are_copied_into_partitions_with_nothing_lost(postgres_url: str) -> None:
    migrate(postgres_url)
    store = open_store(postgres_url)
    runs = [a_run(f"run-{number}", correlation_id="c") for number in range(20)]
    create(store, *runs, tasks=[a_task(each.id) for each in runs])
    store.close()
    with pytest.raises(BadConfiguration, match=r"not partitioned: that is fixed .*baton migrate --partition"):
        migrate(postgres_url, table_partitions=PARTS)
    process = this_process("box-1", "decider")
    sign_of_life(postgres_url, process, MOMENT, 20)
    with pytest.raises(Refused, match="decider box-1"):
        partition(postgres_url, MOMENT, PARTS)
    later = Instant(MOMENT + 60_000_000)
    partition(postgres_url, later, PARTS)
    store = open_store(postgres_url)
    with store.transaction() as transaction:
        found = transaction.load([each.id for each in runs])
    assert all(found[each.id].workflow == each and len(found[each.id].tasks) == 1 for each in runs)
    store.close()
    with pytest.raises(BadConfiguration, match="4 partitions already"):
        partition(postgres_url, later, PARTS)


def test_how_many_partitions_there_are_is_fixed_and_another_number_is_refused(postgres_url: str) -> None:
    assert migrate(postgres_url, table_partitions=PARTS)
    assert migrate(postgres_url, table_partitions=PARTS) == ()
    assert migrate(postgres_url) == (), "who does not care finds what there is"
    with pytest.raises(BadConfiguration, match=r"in 4 partitions: .* Set it to 4"):
        migrate(postgres_url, table_partitions=8)
    take_away(postgres_url)
    assert migrate(postgres_url, table_partitions=2)
    assert pending(postgres_url) == ()


def test_no_other_database_has_partitions(tmp_path: Any) -> None:
    with pytest.raises(BadConfiguration, match="only Postgres"):
        migrate(f"sqlite:///{tmp_path / 'baton.db'}", table_partitions=4)
