"""``baton rescue`` and ``baton migrate --after`` on a real database and broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import structlog

from engine.broker.opening import open_broker
from engine.broker.topology import MARKER_QUEUE
from engine.cli import run
from engine.clock import Instant
from engine.model.definition import WorkflowDef
from engine.model.execution import Workflow
from engine.store import open_store
from engine.store.port import Save
from engine.wire.message import events_queue

Baton = Callable[..., tuple[int, str, str]]


@pytest.fixture
def baton(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], postgres_url: str, rabbitmq_url: str
) -> Baton:
    """Run a command on this test's servers; return its exit code and what it printed, also to standard error."""
    monkeypatch.setenv("BATON_DATABASE_URL", postgres_url)
    monkeypatch.setenv("BATON_BROKER_URL", rabbitmq_url)
    monkeypatch.setenv("BATON_PARTITIONS", "1")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_rescue_makes_the_tables_and_finds_nothing_to_do_on_a_new_system(baton: Baton) -> None:
    assert baton("rescue") == (0, "No workflow is open.\n", "")


def test_a_rescue_wakes_every_open_run_and_leaves_the_marker(
    baton: Baton, postgres_url: str, rabbitmq_url: str
) -> None:
    assert baton("migrate")[0] == 0
    store, now = open_store(postgres_url), Instant(1)
    with store.transaction() as transaction:
        transaction.put_snapshot({"hash": WorkflowDef(name="media")})
        facts = {"name": "media", "version": 1, "definition_hash": "hash", "version_no": 1, "last_seq": 0}
        saves = [
            Save(workflow=Workflow(id=each, created_at=now, updated_at=now, **facts), loaded_version=None)
            for each in ("a", "b")
        ]
        transaction.save(saves)
    store.close()

    assert baton("rescue") == (0, "2 workflows were asked to go on.\n", "")

    broker = open_broker(rabbitmq_url)
    assert (broker.ready(events_queue(0)), broker.ready(MARKER_QUEUE)) == (2, 1)
    broker.close()


def test_a_rescue_without_a_broker_says_so(baton: Baton, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_BROKER_URL", "amqp://guest:secret@127.0.0.1:9//")
    code, _, complaint = baton("rescue")
    assert code == 6
    assert "127.0.0.1:9" in complaint
    assert "secret" not in complaint


def test_nothing_is_left_to_take_away_on_a_new_system(baton: Baton) -> None:
    assert baton("migrate")[1].startswith("applied 0001")
    assert baton("migrate", "--after") == (0, "The database is up to date.\n", "")
