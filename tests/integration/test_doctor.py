"""The doctor looks at a real database and a real broker, and says what to do about each fault."""

import json

import pika
import psycopg
import pytest
import structlog
from msgspec.structs import replace

from deploy.probe import conninfo
from engine.broker.opening import open_broker
from engine.broker.rabbitmq import connection_parameters
from engine.cli import run
from engine.clock import Instant, SystemClock
from engine.model.definition import WorkflowDef
from engine.model.execution import Task, Workflow
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.port import InHand, Save
from engine.store.presence import sign_of_life, this_process
from engine.wire.dead_letter import bury
from engine.wire.message import START_QUEUE, Delivery, Message


@pytest.fixture
def doctor(monkeypatch, tmp_path, capsys, postgres_url, rabbitmq_url):
    """Runs ``baton doctor`` on this test's servers; returns its exit code and its findings by subject."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATON_DATABASE_URL", postgres_url)
    monkeypatch.setenv("BATON_BROKER_URL", rabbitmq_url)
    monkeypatch.setenv("BATON_PARTITIONS", "2")
    # Nobody listens on the discard port; the server is not what these tests are about.
    monkeypatch.setenv("BATON_SERVER_URL", "http://127.0.0.1:9")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    def examine():
        capsys.readouterr()
        code = run(["doctor", "--timeout", "0.5", "--output", "json"])
        return code, {each["subject"]: each for each in json.loads(capsys.readouterr().out)["findings"]}

    yield examine
    structlog.reset_defaults()


@pytest.fixture
def waiting_task(postgres_url):
    """A run whose only task waits in the queue ``resize``."""
    migrate(postgres_url)
    store = open_store(postgres_url)
    now = Instant(1_000_000)
    workflow = Workflow(
        id="w", name="media", version=1, definition_hash="h", version_no=1, last_seq=1, created_at=now, updated_at=now
    )
    task = Task(workflow_id="w", seq=1, ref="resize", type="SIMPLE", name="resize", queue="resize", scheduled_at=now)
    with store.transaction() as tx:
        tx.put_snapshot({"h": WorkflowDef(name="media")})
        tx.save([Save(workflow=workflow, loaded_version=None, inserted=[task])])
        tx.note_queues(["resize"])
    store.close()


def test_missing_tables_are_a_fault_that_migrate_mends(doctor):
    code, findings = doctor()

    assert code == 1
    assert findings["database"]["state"] == "fault"
    assert "baton migrate" in findings["database"]["remedy"]

    assert run(["migrate"]) == 0

    code, findings = doctor()
    assert code == 0
    assert {findings[subject]["state"] for subject in ("settings", "database", "broker", "queues")} == {"ok"}
    assert findings["workers"]["state"] == findings["server"]["state"] == "warning"


def test_a_queue_with_other_arguments_is_named(doctor, waiting_task, rabbitmq_url):
    # Given a worker without task_queue_max_priority has declared the queue first.
    connection = pika.BlockingConnection(connection_parameters(rabbitmq_url))
    connection.channel().queue_declare("resize", durable=True)

    code, findings = doctor()
    connection.close()

    assert code == 1
    assert "x-max-priority" in findings["queue resize"]["what"]
    assert "task_queue_max_priority" in findings["queue resize"]["remedy"]


def test_servers_that_are_away_are_told_apart(doctor, monkeypatch):
    monkeypatch.setenv("BATON_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:9/none")
    monkeypatch.setenv("BATON_BROKER_URL", "amqp://guest:secret@127.0.0.1:9//")

    code, findings = doctor()

    assert code == 1
    assert "BATON_DATABASE_URL" in findings["database"]["remedy"]
    assert "BATON_BROKER_URL" in findings["broker"]["remedy"]
    assert "secret" not in json.dumps(findings)


def test_every_wrong_setting_is_told(doctor, monkeypatch):
    monkeypatch.setenv("BATON_HTTP_PORT", "many")
    monkeypatch.setenv("BATON_BORKER_URL", "amqp://x")

    code, findings = doctor()

    assert code == 1
    assert set(findings) == {"settings"}


def test_processes_are_counted_and_missing_ones_named(doctor, postgres_url):
    run(["migrate"])
    assert "baton decider" in doctor()[1]["processes"]["remedy"]
    for number, kind in enumerate(["decider", "decider", "timekeeper"]):
        sign_of_life(postgres_url, this_process(f"box-{number}", kind), SystemClock().now(), 60)

    code, findings = doctor()

    assert code == 0
    assert (findings["processes"]["state"], findings["processes"]["what"]) == ("ok", "2 deciders, 1 timekeeper")


def test_versions_side_by_side_are_told(doctor, postgres_url):
    run(["migrate"])
    now = SystemClock().now()
    sign_of_life(postgres_url, this_process("box-1", "decider"), now, 60)
    sign_of_life(postgres_url, replace(this_process("box-2", "decider"), version="0.0.1"), now, 60)

    _, findings = doctor()

    assert findings["processes"]["state"] == "warning"
    assert "0.0.1" in findings["processes"]["what"]


def test_tables_of_a_newer_version_are_a_fault(doctor, postgres_url):
    run(["migrate"])
    with psycopg.connect(conninfo(postgres_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version_after (version_num VARCHAR(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version_after VALUES ('9001')")

    code, findings = doctor()

    assert code == 1
    assert "newer version" in findings["database"]["what"]
    assert "newer version" in findings["database"]["remedy"]


def test_dead_letters_are_counted_with_their_reasons_and_what_to_do(doctor, postgres_url, rabbitmq_url):
    migrate(postgres_url)
    broker = open_broker(rabbitmq_url)
    delivery = Delivery(message=Message(queue=START_QUEUE, body=b"?"), queue=START_QUEUE)
    _, before = doctor()
    broker.publish([bury(delivery, reason, Instant(1)) for reason in ("it is odd", "it is odd", "it kills")])
    broker.close()
    _, after = doctor()
    assert before["dead letters"]["state"] == "ok"
    assert after["dead letters"]["state"] == "warning"
    assert after["dead letters"]["what"] == "3: 2 × it is odd; 1 × it kills"
    assert "baton dead list" in after["dead letters"]["remedy"]


def test_a_message_that_processes_die_with_is_named(doctor, postgres_url):
    migrate(postgres_url)
    store = open_store(postgres_url)
    lines = [
        InHand(message="1" * 64, owner=owner, queue="baton.start", label="start m1", at=Instant(number))
        for number, owner in enumerate(("box-1", "box-2", "box-3"))
    ]
    with store.transaction() as transaction:
        transaction.take_in_hand(lines[:1])
    _, one = doctor()
    with store.transaction() as transaction:
        transaction.take_in_hand(lines[1:])
    _, several = doctor()
    store.close()
    # One line may be that of a process at work.
    assert "deadly message" not in one
    assert several["deadly message"]["what"] == "start m1 of queue baton.start was in hand when 2 processes died"
    assert "box-3" in several["deadly message"]["remedy"]
