"""RabbitMQ's policy reaches every task queue, and no queue of the engine or of Celery itself."""

from __future__ import annotations

import json
import re

import pytest

from deploy.policies import DEFINITIONS, vhost_of
from deploy.private_rabbitmq import DEPLOYED
from engine.broker import topology
from engine.wire.message import DEAD_QUEUE
from workers.system import KINDS

(CLASSIC, QUORUM) = json.loads(DEFINITIONS.read_text())["policies"]

TASK_QUEUES = [*(queue for queues in KINDS.values() for queue in queues), "resize", "eu:resize", "ship order", "baton"]

OTHER_QUEUES = [
    *(queue.name for queue in topology.engine_queues()),
    "baton.events.0",
    "baton.events.15",
    topology.MARKER_QUEUE,
    f"{topology.REPLY_PREFIX}7",
    "celery",
    "celeryev.0f1e",
    "celery@host.celery.pidbox",
    "2f3d9a10-5b7e-3c11-9c0e-0242ac120002.reply.celery.pidbox",
    "2f3d9a10-5b7e-3c11-9c0e-0242ac120002",
    "amq.gen-x",
]


@pytest.mark.parametrize("queue", TASK_QUEUES)
def test_task_queues_get_their_dead_lettering_by_policy(queue: str) -> None:
    assert not topology.is_engine_queue(queue)
    assert re.search(CLASSIC["pattern"], queue)
    assert re.search(QUORUM["pattern"], queue)


@pytest.mark.parametrize("queue", OTHER_QUEUES)
def test_other_queues_do_not(queue: str) -> None:
    assert not re.search(CLASSIC["pattern"], queue)
    assert not re.search(QUORUM["pattern"], queue)


def test_dead_letters_go_to_the_queue_that_baton_reads_them_from() -> None:
    for policy in (CLASSIC, QUORUM):
        definition = policy["definition"]
        assert (definition["dead-letter-exchange"], definition["dead-letter-routing-key"]) == ("", DEAD_QUEUE)


def test_a_quorum_queue_gives_a_task_that_comes_back_again_and_again_up_in_every_version_of_rabbitmq() -> None:
    assert QUORUM["definition"]["delivery-limit"] == 20
    assert QUORUM["priority"] > CLASSIC["priority"]


def test_a_classic_queue_has_a_policy_that_it_does_not_refuse_for_what_it_cannot_do() -> None:
    # A policy with one key that a queue does not know is no policy of that queue at all.
    assert set(CLASSIC["definition"]) == {"dead-letter-exchange", "dead-letter-routing-key"}


@pytest.mark.parametrize("kind", topology.TaskQueueType)
def test_task_queues_carry_no_argument_that_the_policy_is_there_to_replace(kind: topology.TaskQueueType) -> None:
    arguments = set(topology.queue("resize", kind).arguments)
    assert arguments <= {"x-max-priority", "x-queue-type"}


def test_a_task_may_take_longer_than_rabbitmqs_own_half_hour() -> None:
    setting = re.search(r"^consumer_timeout = (\d+)$", DEPLOYED.read_text(), re.M)
    assert setting
    assert int(setting[1]) > 30 * 60 * 1000


def test_the_broker_counts_what_its_queues_hold_and_no_rates_of_messages() -> None:
    # Both are needed: with rates, the management plugin itself sets the statistics to fine.
    settings = dict(re.findall(r"^(\S+) = (\S+)$", DEPLOYED.read_text(), re.M))
    assert settings["management.rates_mode"] == "none"
    assert settings["collect_statistics"] == "coarse"
    # "none", or no collector of metrics, would take the lengths of queues away, which the rescuer goes by.
    assert "management_agent.disable_metrics_collector" not in settings


@pytest.mark.parametrize(
    ("url", "vhost"),
    [
        ("amqp://h:1//", "/"),
        ("amqp://h:1/", "/"),
        ("amqp://h:1", "/"),
        ("amqp://h:1/shop", "shop"),
        ("amqp://h/%2F", "/"),
    ],
)
def test_the_virtual_host_is_read_from_the_url(url: str, vhost: str) -> None:
    assert vhost_of(url) == vhost
