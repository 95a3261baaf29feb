"""What is peculiar to MariaDB and MySQL: packets of limited size, changes of tables that are final, old servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from deploy.probe import mysql_connection
from engine.errors import BadConfiguration, StoreUnavailable, Unstorable
from engine.executor import Executor
from engine.model.event import StartWorkflow
from engine.store import mysql_connection as connections
from engine.store import open_store, revisions
from engine.store.database import open_database
from engine.store.migrate import migrate, pending
from engine.store.port import Save, Store
from engine.store.resuming import ResumingSteps
from engine.testing.harness import Harness
from engine.wire.dead_letter import read_dead
from engine.wire.start_message import encode_start
from tests.conformance.store.runs import a_run, a_task, change, create, load, save

#: A setting of the whole server is changed meanwhile.
pytestmark = pytest.mark.alone

PACKET = 1_048_576


@pytest.fixture
def narrow(mysql_url: str) -> Iterator[Store]:
    """Return a store on a server that takes statements of a megabyte."""
    migrate(mysql_url)
    with mysql_connection(mysql_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@global.max_allowed_packet")
        before = cursor.fetchone()
        cursor.execute("SET GLOBAL max_allowed_packet = %s", [PACKET])
        store = open_store(mysql_url)
        try:
            # The pool's connections know the limit from their beginning.
            with store.transaction():
                pass
            yield store
        finally:
            store.close()
            cursor.execute("SET GLOBAL max_allowed_packet = %s", before)


def test_a_row_that_the_server_does_not_take_is_refused_at_once_and_the_reason_says_what_to_raise(
    narrow: Store,
) -> None:
    with pytest.raises(Unstorable, match="takes 1,047,552: raise its max_allowed_packet"):
        create(narrow, a_run(input={"text": "x" * PACKET}))
    assert create(narrow, a_run()) == {"run"}


def test_a_batch_that_is_larger_than_a_packet_is_sent_in_several(narrow: Store) -> None:
    half = {"text": "x" * (PACKET // 2)}
    create(narrow, *(a_run(str(number), input=half) for number in range(5)), tasks=[a_task("1", 1, input=half)])
    runs = [change(a_run(str(number)), output=half) for number in range(5)]
    assert len(save(narrow, *(Save(workflow=run, loaded_version=1) for run in runs))) == 5
    assert load(narrow, "4").workflow.output == half


def test_a_row_that_grew_beyond_a_packet_can_still_be_read(narrow: Store) -> None:
    most = {"text": "x" * (PACKET * 3 // 4)}
    run = a_run(input=most)
    create(narrow, run)
    save(narrow, Save(workflow=change(run, output=most), loaded_version=1, before=run))
    rows = load(narrow)
    assert rows.workflow.input == rows.workflow.output == most


@pytest.fixture
def narrow_road(narrow: Store) -> Harness:
    """Return an engine that keeps its runs there."""
    harness = Harness()
    harness.store = narrow
    harness.register({"name": "one", "tasks": [{"name": "a", "taskReferenceName": "a"}]})
    harness.executor = Executor(narrow, harness.road, harness.clock, harness.settings, 1)
    return harness


def test_a_start_that_cannot_be_stored_becomes_a_dead_letter_and_its_neighbours_go_on(narrow_road: Harness) -> None:
    inputs = {"small": {}, "large": {"text": "x" * PACKET}, "smaller": {}}
    narrow_road.publish(
        *(
            encode_start(StartWorkflow(event_id=f"start {run}", workflow_id=run, name="one", input=payload))
            for run, payload in inputs.items()
        )
    )
    with narrow_road.store.transaction() as transaction:
        assert transaction.load(list(inputs)).keys() == {"small", "smaller"}
    (letter,) = narrow_road.road.peek("baton.dead", 10)
    assert "max_allowed_packet" in read_dead(letter.message).reason


def test_a_result_that_cannot_be_stored_ends_its_run_with_the_reason_and_no_payload(narrow_road: Harness) -> None:
    run, neighbour = narrow_road.start("one"), narrow_road.start("one")
    sizes = iter([PACKET, 1])
    narrow_road.work({"a": lambda _: {"text": "x" * next(sizes)}})
    ended = narrow_road.run(run)
    assert ended.status == "FAILED"
    assert str(ended.reason).endswith("but the server takes 1,047,552: raise its max_allowed_packet")
    assert "xxx" not in str(ended.reason)
    assert narrow_road.run(neighbour).status == "COMPLETED"


def test_a_lock_that_is_not_given_up_is_waited_for_and_then_tried_again_later(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LOCK_SECONDS", 1)
    migrate(mysql_url)
    store = open_store(mysql_url)
    create(store, a_run())
    with mysql_connection(mysql_url) as holder, holder.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"SELECT id FROM {mysql_url.rpartition('/')[2]}.workflow FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="Lock wait timeout"):
            save(store, Save(workflow=change(a_run()), loaded_version=1))
        cursor.execute("ROLLBACK")
    assert save(store, Save(workflow=change(a_run()), loaded_version=1)) == {"run"}
    store.close()


def test_whoever_waits_in_vain_for_another_one_to_change_the_tables_is_told(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "_LONGEST_SECONDS", 1)
    with revisions.connected(mysql_url, alone=True), pytest.raises(StoreUnavailable, match="changing the tables"):
        migrate(mysql_url)
    assert migrate(mysql_url)


@pytest.mark.parametrize("step", ["create_table", "create_index"])
@pytest.mark.parametrize("done_before", [0, 1, 3])
def test_a_migration_that_was_broken_off_is_taken_up_again(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch, step: str, done_before: int
) -> None:
    carried_out: list[object] = []
    real = getattr(ResumingSteps, step)

    def power_cut(self: ResumingSteps, *given: object, **options: object) -> None:
        if len(carried_out) == done_before:
            raise ConnectionResetError("the power is gone")
        carried_out.append(given)
        real(self, *given, **options)

    with monkeypatch.context() as cut:
        cut.setattr(ResumingSteps, step, power_cut)
        with pytest.raises(ConnectionResetError):
            migrate(mysql_url)
    assert migrate(mysql_url)
    assert pending(mysql_url) == ()
    store = open_store(mysql_url)
    create(store, a_run(), tasks=[a_task()])
    assert load(store).tasks == (a_task(),)
    store.close()


@pytest.mark.parametrize(
    ("version", "needed"),
    [
        ("10.5.28-MariaDB-1", "MariaDB 10.6"),
        ("5.5.5-10.3.39-MariaDB", "MariaDB 10.6"),
        ("5.7.44", "MySQL 8.0.19"),
        ("8.0.18-log", "MySQL 8.0.19"),
    ],
)
def test_a_server_that_is_too_old_is_refused_with_what_is_needed(version: str, needed: str) -> None:
    with pytest.raises(BadConfiguration, match=f"{version}: Baton needs {needed} or newer"):
        connections._check_version(version)


@pytest.mark.parametrize("version", ["10.6.0-MariaDB", "5.5.5-10.11.19-MariaDB-0+deb12u1", "11.4.2-MariaDB", "8.4.1"])
def test_newer_servers_are_not(version: str) -> None:
    connections._check_version(version)


@pytest.mark.parametrize("url", ["mysql://ann@host/name", "mariadb://ann@host/name", "mysql+mysqldb://ann@host/name"])
def test_every_way_to_write_the_url_leads_to_the_one_driver(url: str) -> None:
    assert open_database(url, 1).url.drivername == "mysql+pymysql"


def test_a_driver_that_is_missing_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "engine.store.mysql_connection")
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(BadConfiguration, match=r"pip install 'baton-engine\[mysql\]'"):
        open_store("mysql://ann@host/name")
