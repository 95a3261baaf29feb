"""Baton's own workers on RabbitMQ: the system tasks in Celery's processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.broker.opening import open_broker
from engine.model.status import TaskStatus
from tests.integration.workers.conftest import Desk, Launcher

QUEUES = "system.event,system.http,system.http_poll,system.inline,system.json_jq_transform"
COMMAND = """
import sys
from workers.system import run_worker
run_worker("script", sys.argv[1], 2, options=["-Q", sys.argv[2]])
"""


@pytest.fixture(scope="module")
def system(desk: Desk, launch: Launcher, vhost: str) -> Desk:
    launch.python("-c", COMMAND, vhost, QUEUES)
    return desk


LOGGED = """
import sys
from engine.log import configure
from workers.system import run_worker
configure(sys.argv[2], "text")
run_worker("script", sys.argv[1], 1, options=["-l", sys.argv[2], "-n", sys.argv[2] + "@box"])
"""


def ask(system: Desk, name: str, /, **inputs: object) -> int:
    return system.send(name, name, **inputs)


def test_scripts_and_jq_run_in_killable_children_of_a_celery_process(system: Desk) -> None:
    assert system.end(ask(system, "system.inline", expression="$.a + 1", a=1)).output == {"result": 2}
    jq = system.end(ask(system, "system.json_jq_transform", queryExpression=".a", a=1))
    assert jq.output == {"result": 1, "resultList": [1]}


def test_a_script_without_end_fails_and_the_worker_goes_on(system: Desk) -> None:
    endless = system.end(ask(system, "system.inline", expression="for(;;);"))
    assert endless.reason == "Script not evaluated within 4 seconds, interrupted."
    assert endless.output == {"error": endless.reason}
    assert system.end(ask(system, "system.inline", expression="1")).output == {"result": 1}


def test_a_failing_call_is_an_ordinary_failure(system: Desk) -> None:
    result = system.end(ask(system, "system.http", uri="http://127.0.0.1:1/", method="GET"))
    assert result.status is TaskStatus.FAILED
    assert "refused" in str(result.reason)


class Job(BaseHTTPRequestHandler):
    """Is ready when it is asked for the second time."""

    asked = 0

    def do_GET(self) -> None:
        Job.asked += 1
        content = json.dumps({"ready": Job.asked > 1}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_a_service_that_is_polled_is_called_once_for_each_message_and_its_condition_comes_with_the_answer(
    system: Desk,
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Job) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        request = {
            "uri": f"http://127.0.0.1:{service.server_port}/",
            "method": "GET",
            "terminationCondition": "$.output.response.body.ready && $.input.order == 7",
        }
        first, second = (
            system.end(
                system.send(
                    "system.http_poll",
                    "system.http_poll",
                    {"extra_headers": {"calls": calls}} if calls else None,
                    http_request=request,
                    order=7,
                )
            ).output
            for calls in (0, 1)
        )
        service.shutdown()
    assert (first["condition"], second["condition"]) == (False, True)
    assert second["response"]["body"] == {"ready": True}
    assert (first["call"], second["call"]) == (0, 1)


def test_an_event_arrives_in_its_queue_under_the_tasks_id(system: Desk, vhost: str) -> None:
    listener = open_broker(vhost)
    listener.consume("orders", 10)
    seq = ask(system, "system.event", event_produced="amqp_queue:orders", order=7)
    assert system.end(seq).output == {"event_produced": "amqp_queue:orders", "order": 7}
    (delivery,) = listener.receive(1, 60.0)
    assert delivery.message.message_id == f"run.{seq}"
    assert json.loads(delivery.message.body)["order"] == 7
    listener.ack([delivery])
    listener.close()


@pytest.mark.parametrize(
    ("sink", "words"),
    [("amqp_queue:nobodys", "NO_ROUTE"), ("amqp_exchange:nobodys", "no exchange 'nobodys'"), ("kafka:x", "kafka")],
)
def test_an_event_that_cannot_be_delivered_fails_and_the_next_one_is_sent(system: Desk, sink: str, words: str) -> None:
    result = system.end(ask(system, "system.event", event_produced=sink, order=7))
    assert result.status is TaskStatus.FAILED
    assert words in str(result.reason)
    assert result.output == {"event_produced": sink, "order": 7}
    assert system.end(ask(system, "system.inline", expression="1")).output == {"result": 1}


@pytest.fixture
def lone(rabbitmq_url: str, tmp_path: Path) -> Iterator[tuple[Desk, Launcher]]:
    """Return the engine's side and what starts workers, where no other worker listens."""
    desk, launch = Desk(rabbitmq_url), Launcher(rabbitmq_url, tmp_path)
    yield desk, launch
    launch.stop()
    desk.close()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_payload_stands_in_a_workers_log(lone: tuple[Desk, Launcher], rabbitmq_url: str, level: str) -> None:
    desk, launch = lone
    worker = launch.python("-c", LOGGED, rabbitmq_url, level)
    seq = desk.send("system.inline", "system.inline", expression="$.a + '-result'", a="secret")
    assert desk.end(seq).output == {"result": "secret-result"}
    worker.terminate()
    worker.wait(60)
    said = launch.log(worker)
    assert "ready." in said
    assert "secret" not in said
    assert (f"Task system.inline[run.{seq}] succeeded in" in said) is (level == "debug")


ISOLATED = """
import sys
from workers.system import run_worker
run_worker("script", sys.argv[1], 1, namespace="blue", groups=["slow", "slower"])
"""


def test_a_worker_of_an_isolation_group_serves_its_queues_and_no_others(
    lone: tuple[Desk, Launcher], rabbitmq_url: str
) -> None:
    desk, launch = lone
    launch.python("-c", ISOLATED, rabbitmq_url)
    for group in ("slow", "slower"):
        seq = desk.send(f"system.inline@blue-{group}", "system.inline", expression="1")
        assert desk.end(seq).output == {"result": 1}
    assert desk.broker.consumers("system.inline@blue-slow") == 1
    assert not desk.broker.consumers("system.inline")
