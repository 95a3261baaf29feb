"""Indexes answer what the web UIs search for on Postgres: no table is read through, and nothing is sorted whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import event

from benchmarks.search import fill, search, searches
from deploy.endpoint import Servers
from deploy.probe import conninfo
from engine.store.database import open_database
from engine.store.transaction import SqlStore
from engine.store.words_index import STATEMENTS
from tests.conftest import own_postgres

pytestmark = pytest.mark.servers

ROWS = 2_000


@pytest.fixture(scope="module")
def filled(servers: Servers) -> Iterator[str]:
    """Return the URL of a database with some thousand runs, as the benchmark makes a million."""
    with own_postgres(servers.database_url) as url:
        fill(url, ROWS)
        yield url


@pytest.fixture
def database(filled: str) -> Iterator[sqlalchemy.Engine]:
    """Return a database that is told to explain every statement before it carries it out."""
    opened = open_database(filled, 1)
    yield opened
    opened.dispose()


def explained(database: sqlalchemy.Engine, run: Any) -> list[dict[str, Any]]:
    """Return every node of the plans of what ``run`` asks."""
    plans: list[dict[str, Any]] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            with connection.connection.cursor() as beside:
                beside.execute("SHOW plan_cache_mode")
                assert beside.fetchone()[0] == "force_custom_plan", "what is carried out has another plan"
                beside.execute(f"EXPLAIN (FORMAT JSON, ANALYZE, TIMING OFF) {statement}", parameters)
                found = beside.fetchone()[0]
                plans.append((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])

    event.listen(database, "before_cursor_execute", explain)
    try:
        run()
    finally:
        event.remove(database, "before_cursor_execute", explain)
    return [node for plan in plans for node in nodes(plan)]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def test_no_search_of_the_web_uis_reads_through_a_table_or_sorts_it(database: sqlalchemy.Engine) -> None:
    store = SqlStore(database)
    for name, (query, more) in searches(ROWS).items():
        given = {key: value for key, value in more.items() if key != "shown"}
        found = explained(database, lambda query=query, given=given: search(store, query, **given))
        assert found, name
        kinds = {node["Node Type"] for node in found}
        assert not kinds & {"Seq Scan", "Hash Join", "Merge Join"}, name


def test_rare_words_are_found_by_an_index_of_words_where_there_is_one(filled: str, database: sqlalchemy.Engine) -> None:
    store = SqlStore(database)

    def indexes(words: str, **more: str) -> tuple[int, set[str]]:
        totals: list[int] = []
        found = explained(database, lambda: totals.append(search(store, "", words=words, **more).total))
        return totals[0], {node["Index Name"] for node in found if "Index Name" in node}

    rare = f"customer-{ROWS // 6}"
    without, used = indexes(rare)
    assert "workflow_words" not in used
    with psycopg.connect(conninfo(filled), autocommit=True) as connection:
        for statement in STATEMENTS:
            connection.execute(statement)
        try:
            found, used = indexes(rare)
            assert (found, "workflow_words" in used) == (without, True)
            assert indexes(f"{rare} köln", sort="endTime:DESC")[0] == without
            assert "workflow_words" not in indexes("köln")[1]
        finally:
            connection.execute("DROP INDEX workflow_words")


def test_a_first_page_touches_no_more_rows_than_it_shows_or_counts(database: sqlalchemy.Engine) -> None:
    store = SqlStore(database)
    for name in ("by status", "by rare status", "by workflow and status", "by prefix, status and time", "in a span"):
        query, more = searches(ROWS)[name]
        found = explained(database, lambda query=query, more=more: search(store, query, **more))
        scans = [node for node in found if node.get("Relation Name") == "workflow"]
        assert scans, name
        assert not [node for node in scans if node.get("Rows Removed by Filter")], name
