"""SQL tasks on real databases: what they return, and how they fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from workers import TaskFailure, TerminalError
from workers.tasks.sql import run

Ask = Callable[..., Any]


@pytest.fixture(params=["sqlite", "postgres"])
def ask(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A function that carries out a statement on a database with two orders."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path}/shop.db"
    monkeypatch.setenv("BATON_SQL_CONNECTIONS", f"shop={url} other=sqlite:///{tmp_path}/other.db")
    database = sqlalchemy.create_engine(url)
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER PRIMARY KEY, who TEXT, amount NUMERIC)"))
        connection.execute(sqlalchemy.text("INSERT INTO orders VALUES (1, 'Ada', 10), (2, 'Grace', 2.5)"))
    database.dispose()

    def asked(statement: Any = None, *parameters: Any, **inputs: Any) -> Any:
        return run(None, **{"connectionId": "shop", "statement": statement, "parameters": list(parameters), **inputs})

    return asked


def test_rows_come_as_objects_with_numbers_as_numbers(ask: Ask) -> None:
    rows = ask("SELECT id, who, amount FROM orders ORDER BY id")["result"]
    assert rows == [{"id": 1, "who": "Ada", "amount": 10}, {"id": 2, "who": "Grace", "amount": 2.5}]


def test_question_marks_take_the_parameters_in_their_order(ask: Ask) -> None:
    found = ask("SELECT who FROM orders WHERE amount > ? AND who <> ?", 1, "Ada")
    assert found == {"result": [{"who": "Grace"}]}


def test_names_take_the_parameters_by_name(ask: Ask) -> None:
    assert ask("SELECT who FROM orders WHERE id = :id", parameters={"id": 2}) == {"result": [{"who": "Grace"}]}


def test_a_value_is_never_part_of_the_statement(ask: Ask) -> None:
    assert ask("SELECT who FROM orders WHERE who = ?", "x' OR '1'='1") == {"result": []}


def test_question_marks_and_colons_in_texts_and_comments_are_only_that(ask: Ask) -> None:
    statement = """SELECT 'why? 12:30:05' AS said, '100%' AS much, ? AS n -- really? :no
                   /* :neither ? */ FROM orders WHERE id = ?"""
    assert ask(statement, 7, 1) == {"result": [{"said": "why? 12:30:05", "much": "100%", "n": 7}]}


def test_an_update_says_how_many_rows_it_changed(ask: Ask) -> None:
    assert ask("UPDATE orders SET who = ? WHERE id = ?", "Mary", 1, type="UPDATE") == {"update_count": 1}
    assert ask("SELECT who FROM orders WHERE id = 1") == {"result": [{"who": "Mary"}]}


def test_an_update_of_more_rows_than_expected_is_rolled_back(ask: Ask) -> None:
    with pytest.raises(TaskFailure, match="2 rows, expected were 1: rolled back"):
        ask("UPDATE orders SET amount = 0", type="update", expectedUpdateCount=1)
    assert ask("SELECT sum(amount) AS total FROM orders") == {"result": [{"total": 12.5}]}


def test_what_the_database_says_fails_the_task_without_the_values(ask: Ask) -> None:
    with pytest.raises(TaskFailure) as caught:
        ask("INSERT INTO orders VALUES (?, ?, 0)", 1, "a secret", type="UPDATE")
    assert not isinstance(caught.value, TerminalError)
    assert "unique" in caught.value.reason.lower()
    assert "a secret" not in caught.value.reason
    assert "sqlalche.me" not in caught.value.reason


@pytest.mark.parametrize(
    ("inputs", "fault"),
    [
        ({"statement": " "}, "needs a 'statement'"),
        ({"connectionId": "nowhere"}, "names other, shop"),
        ({"type": "DELETE"}, "must be SELECT or UPDATE"),
        ({"parameters": [1, 2]}, "0 question marks, and there are 2 parameters"),
        ({"parameters": "x"}, "a list or an object"),
    ],
)
def test_what_no_retry_can_mend_is_terminal(ask: Ask, inputs: dict[str, Any], fault: str) -> None:
    with pytest.raises(TerminalError, match=fault):
        ask(**{"statement": "SELECT 1", **inputs})


def test_a_statement_of_the_wrong_kind_changes_nothing(ask: Ask) -> None:
    with pytest.raises(TaskFailure):
        ask("DELETE FROM orders")
    assert ask("SELECT count(*) AS n FROM orders") == {"result": [{"n": 2}]}


def test_a_result_that_is_too_large_is_refused_before_it_is_all_in_memory(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_PAYLOAD_LIMIT_BYTES", "2000")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT i FROM n"
    with pytest.raises(TerminalError, match="larger than 2,000 bytes"):
        ask(endless)


def test_a_schema_chooses_where_tables_are(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_SQL_CONNECTIONS", f"shop={postgres_url}")

    def change(statement: str, **inputs: Any) -> Any:
        return run(None, connectionId="shop", statement=statement, type="UPDATE", **inputs)

    change('CREATE SCHEMA "Odd one"')
    change("CREATE TABLE things (id INTEGER)", schemaName="Odd one")
    assert change("INSERT INTO things VALUES (1)", schemaName="Odd one") == {"update_count": 1}
    with pytest.raises(TaskFailure, match="things"):
        change("INSERT INTO things VALUES (1)")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("DATE '2026-02-03'", "2026-02-03"),
        ("TIMESTAMP '2026-02-03 04:05:06'", "2026-02-03T04:05:06"),
        ("INTERVAL '90 seconds'", 90.0),
        ("'\\x0001'::bytea", "AAE="),
        ("'6d9f3a52-4d62-4a3a-9d1c-0d5b0a4f6b11'::uuid", "6d9f3a52-4d62-4a3a-9d1c-0d5b0a4f6b11"),
        ("ARRAY[1.5, 2]", [1.5, 2]),
        ("'{\"a\": [1]}'::json", {"a": [1]}),
        ("NULL", None),
    ],
)
def test_values_of_every_kind_become_json(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, expression: str, value: Any
) -> None:
    monkeypatch.setenv("BATON_SQL_CONNECTIONS", f"shop={postgres_url}")
    found = run(None, connectionId="shop", statement=f"SELECT {expression} AS v")
    assert found == {"result": [{"v": value}]}
