"""The number of statements does not grow with the number of runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import event

from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.port import Save, Store
from engine.store.transaction import SqlStore
from tests.conformance.store.conftest import empty
from tests.conformance.store.runs import a_run, a_task, change, create, save


def kind(statement: str) -> str:
    """Return the statement without the length of its lists."""
    return re.sub(r"%s(, %s)+", "%s", statement)


#: Postgres writes runs and tasks in one go; elsewhere the versions are read first, then each kind of row is written.
STATEMENTS_OF_A_SAVE = {"postgresql": 1, "sqlite": 4, "mysql": 4}


def test_hundreds_of_runs_are_saved_with_as_many_statements_as_one(url: str) -> None:
    migrate(url)
    database = open_database(url, 1)
    store = SqlStore(database)
    statements: list[str] = []
    event.listen(database, "before_cursor_execute", lambda _1, _2, statement, *_: statements.append(kind(statement)))

    def counted(write: Callable[[], object]) -> list[str]:
        statements.clear()
        write()
        return list(statements)

    def lives(count: int) -> None:
        runs = [a_run(f"{count}-{number}") for number in range(count)]
        create(store, *runs, tasks=[a_task(run.id) for run in runs])
        saves = [
            Save(workflow=change(run), loaded_version=1, inserted=[a_task(run.id, 2)], updated=[a_task(run.id)])
            for run in runs
        ]
        assert len(save(store, *saves)) == count
        with store.transaction() as transaction:
            assert len(transaction.load([run.id for run in runs])) == count

    assert counted(lambda: lives(300)) == counted(lambda: lives(1))
    store.close()


def test_a_step_is_saved_with_as_few_statements_as_the_database_allows(url: str) -> None:
    migrate(url)
    database = open_database(url, 1)
    store = SqlStore(database)
    run = a_run()
    create(store, run, tasks=[a_task(run.id)])
    statements: list[str] = []
    event.listen(database, "before_cursor_execute", lambda _1, _2, statement, *_: statements.append(statement))

    step = Save(workflow=change(run), loaded_version=1, inserted=[a_task(run.id, 2)], updated=[a_task(run.id)])
    with store.transaction() as transaction:
        statements.clear()
        assert transaction.save([step]) == {run.id}

    assert len(statements) == STATEMENTS_OF_A_SAVE[database.dialect.name]
    store.close()


def test_a_save_that_is_the_last_of_its_transaction_is_stored_like_any_other(store: Store) -> None:
    create(store, a_run(), tasks=[a_task()])
    step = Save(workflow=change(a_run()), loaded_version=1, inserted=[a_task(seq=2)], updated=[a_task()])
    with store.transaction() as transaction:
        assert transaction.save([step], last=True) == {"run"}
    with store.transaction() as transaction:
        assert transaction.save([step], last=True) == set(), "it has moved on from there"
    with store.transaction() as transaction:
        rows = transaction.load(["run"])["run"]
    assert (rows.workflow.version_no, [task.seq for task in rows.tasks]) == (2, [1, 2])


def test_transactions_after_one_that_was_a_save_alone_are_whole_again(store: Store) -> None:
    create(store, a_run())
    with store.transaction() as transaction:
        transaction.save([Save(workflow=change(a_run()), loaded_version=1)], last=True)
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        transaction.save([Save(workflow=change(change(a_run())), loaded_version=2)])
        raise ZeroDivisionError
    with store.transaction() as transaction:
        assert transaction.load(["run"])["run"].workflow.version_no == 2


def test_a_save_behind_something_else_is_undone_with_it_though_it_is_the_last(migrated_postgres: str) -> None:
    store = SqlStore(open_database(migrated_postgres, 1))
    create(store, a_run("undone"))
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        transaction.load(["undone"])
        transaction.save([Save(workflow=change(a_run("undone")), loaded_version=1)], last=True)
        raise ZeroDivisionError
    with store.transaction() as transaction:
        assert transaction.load(["undone"])["undone"].workflow.version_no == 1
    store.close()
    empty(migrated_postgres)


def test_on_postgres_a_save_alone_is_a_transaction_by_itself(migrated_postgres: str) -> None:
    store, other = SqlStore(open_database(migrated_postgres, 1)), SqlStore(open_database(migrated_postgres, 1))
    create(store, a_run("alone"))
    with store.transaction() as transaction:
        transaction.save([Save(workflow=change(a_run("alone")), loaded_version=1)], last=True)
        with other.transaction() as beside:
            assert beside.load(["alone"])["alone"].workflow.version_no == 2, "no COMMIT has to follow"
    for each in (store, other):
        each.close()
    empty(migrated_postgres)
