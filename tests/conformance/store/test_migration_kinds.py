"""Migrations that add run at any start; those that take away run last, and older versions then stay out."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import inspect

from engine.clock import SECOND, Instant
from engine.errors import Refused, SchemaTooNew
from engine.store import open_store
from engine.store.database import open_database
from engine.store.migrate import finish, migrate, pending
from engine.store.presence import farewell, processes, sign_of_life, this_process, way_in
from engine.store.revisions import SCRIPTS, Kind
from tests.conformance.store.runs import a_run, create, load

NEWER = "9001"
ADD = 'op.add_column("queue", sa.Column("color", sa.Text()))'
TAKE = 'op.drop_column("queue", "color")'


def revision(revision: str, previous: str | None, step: str) -> str:
    return f"""
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {previous!r}


def upgrade():
    {step}


def downgrade():
    pass
"""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Return the migrations of a newer version: one more that adds a column, and none yet that takes any away."""
    scripts = tmp_path / "migrations"
    shutil.copytree(SCRIPTS, scripts)
    newest = max(path.name[:4] for path in (SCRIPTS / Kind.BEFORE).glob("[0-9]*.py"))
    (scripts / Kind.BEFORE / f"{NEWER}_color.py").write_text(revision(NEWER, newest, ADD))
    return scripts


@pytest.fixture
def newest(newer: Path) -> Path:
    """Return the migrations of a version that is newer still: it takes that column away again."""
    known = sorted(path.name[:4] for path in (SCRIPTS / Kind.AFTER).glob("[0-9]*.py"))
    taking = revision(NEWER, known[-1] if known else None, TAKE)
    (newer / Kind.AFTER / f"{NEWER}_no_color.py").write_text(taking)
    return newer


def columns_of_queue(url: str) -> set[str]:
    database = open_database(url, 1)
    try:
        return {column["name"] for column in inspect(database).get_columns("queue")}
    finally:
        database.dispose()


def test_a_version_goes_on_after_a_newer_one_has_added_what_it_needs(url: str, newer: Path) -> None:
    migrate(url)
    assert migrate(url, newer) == (NEWER,)
    # The older one starts again, as in a rolling restart or on the way back, and works.
    assert migrate(url) == ()
    assert pending(url) == ()
    store = open_store(url)
    create(store, a_run())
    assert load(store).workflow == a_run()
    store.close()


def test_a_start_runs_nothing_that_takes_away(url: str, newest: Path) -> None:
    migrate(url)
    assert migrate(url, newest) == (NEWER,)
    assert "color" in columns_of_queue(url)
    assert pending(url, Kind.AFTER, newest)[-1] == NEWER


def test_a_new_database_gets_everything_at_once(url: str, newest: Path) -> None:
    applied = migrate(url, newest)
    assert applied.count(NEWER) == 2
    assert pending(url, Kind.AFTER, newest) == ()
    assert "color" not in columns_of_queue(url)


def test_an_older_version_stays_out_once_a_newer_one_has_taken_away(url: str, newest: Path) -> None:
    migrate(url, newest)
    for attempt in (migrate, pending):
        with pytest.raises(SchemaTooNew, match="newer version"):
            attempt(url)


def test_nothing_is_taken_away_while_an_older_version_is_alive(url: str, newest: Path) -> None:
    migrate(url)
    older = this_process("box-1", "decider")
    sign_of_life(url, older, Instant(0), 20, first=True)
    with pytest.raises(Refused, match="decider box-1"):
        finish(url, Instant(1), newest)
    assert "color" not in columns_of_queue(url)
    farewell(url, older)
    assert finish(url, Instant(1), newest) == (NEWER, NEWER)


def test_an_older_version_that_was_killed_counts_until_its_sign_has_run_out(url: str, newest: Path) -> None:
    migrate(url)
    sign_of_life(url, this_process("box-1", "decider"), Instant(0), 20)
    with pytest.raises(Refused):
        finish(url, Instant(19 * SECOND), newest)
    assert finish(url, Instant(20 * SECOND), newest)


def test_processes_of_the_same_version_are_not_in_the_way(url: str, newest: Path) -> None:
    migrate(url)
    sign_of_life(url, replace(this_process("box-1", "decider"), knows=NEWER), Instant(0), 20)
    assert finish(url, Instant(1), newest)
    assert finish(url, Instant(1), newest) == ()


def test_a_process_that_was_asleep_meanwhile_learns_that_it_may_not_go_on(url: str, newest: Path) -> None:
    migrate(url)
    asleep = this_process("box-1", "decider")
    sign_of_life(url, asleep, Instant(0), 20)
    finish(url, Instant(20 * SECOND), newest)
    with pytest.raises(SchemaTooNew):
        sign_of_life(url, asleep, Instant(21 * SECOND), 20)


def test_processes_are_known_while_they_are_alive(url: str) -> None:
    migrate(url)
    decider, server = this_process("box-1", "decider"), this_process("box-2", "server")
    for who in (server, decider, decider):
        sign_of_life(url, who, Instant(0), 20)
    assert processes(url, Instant(1)) == (decider, server)
    sign_of_life(url, server, Instant(20 * SECOND), 20)
    assert processes(url, Instant(20 * SECOND)) == (server,)


def test_an_idle_process_gives_signs_over_a_connection_that_it_has_and_a_busy_one_over_another(url: str) -> None:
    migrate(url)
    store, who = open_store(url), this_process("box-1", "decider")
    assert way_in(store, url) == url
    with store.transaction():
        assert way_in(store, url) == url
    sign_of_life(way_in(store, url), who, Instant(0), 20)
    assert processes(url, Instant(1)) == (who,)
    # Still open: the sign has not ended what is the process's.
    assert store.database.pool.checkedin() == 1
    assert way_in(store, url) is store.database
    store.close()


@pytest.mark.parametrize("kind", Kind)
def test_the_migrations_of_a_kind_are_one_row_of_numbers(kind: Kind) -> None:
    previous = None
    for path in sorted((SCRIPTS / kind).glob("[0-9]*.py")):
        names = {
            node.target.id: ast.literal_eval(node.value)
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None
            if node.target.id in {"revision", "down_revision"}
        }
        number = path.name[:4]
        assert names == {"revision": number, "down_revision": previous}, path.name
        previous = number
    assert kind is Kind.AFTER or previous


#: What leaves nothing of a table or column for the version before to work with.
TAKING_AWAY = {"drop_table", "drop_column", "rename_table"}


@pytest.mark.parametrize("path", sorted((SCRIPTS / Kind.BEFORE).glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_a_migration_that_runs_before_takes_nothing_away(path: Path) -> None:
    upgrades = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    called = {
        node.func.attr
        for function in upgrades
        if function.name != "downgrade"
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & TAKING_AWAY
