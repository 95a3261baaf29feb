"""Connecting an app: which queues its worker serves, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, _state
from celery.signals import worker_init

from engine.broker.topology import TaskQueueType
from workers import TaskFailure, TerminalError, connect
from workers.system import KINDS, queues_of, system_app


def make(*names: str) -> Celery:
    app = Celery("shop", broker="amqp://nowhere.invalid//", backend="cache+memory://", set_as_current=False)
    for name in names or ("shop.tasks.resize", "shop.tasks.rotate"):

        def run(path: str) -> str:
            return path

        app.task(name=name, shared=False)(run)
    return app


class Worker:
    """As much of a Celery worker as a receiver of its signal sees."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.prefetch_multiplier = 4


def begin(app: Celery) -> Any:
    """Do what a worker does when its modules are imported."""
    worker = Worker(app)
    worker_init.send(sender=worker)
    return worker


def consumed(app: Celery) -> dict[str, Any]:
    return {name: queue.queue_arguments for name, queue in app.amqp.queues.consume_from.items()}


def test_a_worker_serves_one_queue_for_each_task_beside_its_own() -> None:
    app = make()
    connect(app)
    worker = begin(app)
    assert consumed(app) == {"celery": None, "resize": {"x-max-priority": 10}, "rotate": {"x-max-priority": 10}}
    assert worker.prefetch_multiplier == 1


def test_a_worker_fetches_as_much_after_a_lost_connection_as_before() -> None:
    app = make()
    connect(app)
    begin(app)
    assert not app.conf.worker_enable_prefetch_count_reduction


def test_a_worker_tries_a_broker_that_is_away_again_after_short_pauses_and_without_end() -> None:
    app = make()
    connect(app)
    begin(app)
    pauses: list[float] = []

    def note(_: Exception, pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 3:
            raise LookupError

    with pytest.raises(LookupError):
        app.connection_for_read("amqp://127.0.0.1:1//").ensure_connection(note)
    assert pauses == [0.5, 1.0, 1.5]
    assert app.conf.broker_connection_max_retries is None


def test_a_result_counts_as_sent_when_the_broker_has_confirmed_it_unless_the_app_says_otherwise() -> None:
    app, other = make(), make()
    app.conf.broker_transport_options = {"client_properties": {}}
    other.conf.broker_transport_options = {"confirm_publish": False}
    for each in (app, other):
        connect(each)
        begin(each)
    assert app.conf.broker_transport_options == {"client_properties": {}, "confirm_publish": True}
    assert other.conf.broker_transport_options == {"confirm_publish": False}


def test_a_choice_of_queues_is_kept_and_declared_as_the_engine_declares_it() -> None:
    app = make()
    connect(app)
    app.amqp.queues.select(["resize"])
    begin(app)
    assert consumed(app) == {"resize": {"x-max-priority": 10}}


def test_a_domain_stands_before_the_name() -> None:
    app = make()
    connect(app, domain="eu")
    begin(app)
    assert {"eu:resize", "eu:rotate"} < consumed(app).keys()


def test_quorum_queues_have_no_priorities() -> None:
    app = make("resize")
    connect(app, task_queues=TaskQueueType.QUORUM)
    begin(app)
    assert consumed(app)["resize"] == {"x-queue-type": "quorum"}


def test_a_task_is_found_under_its_short_name_and_its_own() -> None:
    app = make()
    connect(app)
    begin(app)
    assert app.tasks["resize"] is app.tasks["shop.tasks.resize"]
    assert app.tasks["resize"].acks_late


def test_connecting_twice_is_connecting_once() -> None:
    app = make("resize")
    connect(app)
    connect(app)
    begin(app)
    run = app.tasks["resize"].run
    assert app.tasks["resize"](path="a") == "a"
    assert run.__qualname__.startswith("guarded")
    assert not any(getattr(cell.cell_contents, "__qualname__", "").startswith("guarded") for cell in run.__closure__)


def test_another_apps_worker_is_left_alone() -> None:
    app, other = make(), make()
    connect(app)
    worker = begin(other)
    assert (worker.prefetch_multiplier, list(consumed(other))) == (4, ["celery"])


def test_two_tasks_of_one_short_name_end_the_worker_with_both_names() -> None:
    app = make("shop.a.resize", "shop.b.resize")
    connect(app)
    with pytest.raises(SystemExit, match=r"(?s)shop\.a\.resize.*shop\.b\.resize"):
        begin(app)


def test_only_the_engines_tasks_answer_the_engine() -> None:
    app = make("resize")
    connect(app)
    begin(app)
    backend = app.tasks["resize"].backend
    sent: list[tuple[str, bytes]] = []
    backend._replies.send = lambda queue, _, body: sent.append((queue, body))
    for reply_to in ("baton.events.3", "0f1e-somebody", None):
        request = SimpleNamespace(
            reply_to=reply_to, correlation_id="c", hostname="h", group=None, children=[], chord=None, id="x.1"
        )
        backend.store_result("x.1", {"a": 1}, "SUCCESS", request=request)
    assert [queue for queue, _ in sent] == ["baton.events.3"]
    assert app.backend.get_task_meta("x.1")["result"] == {"a": 1}


def test_the_app_keeps_its_backend() -> None:
    app = make("resize")
    before = app.backend
    connect(app)
    begin(app)
    assert app.backend is before
    assert app.tasks["resize"].backend.as_uri() == before.as_uri()


def test_the_system_app_has_every_system_task_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # The stranger's task must not reach the apps of other tests.
    monkeypatch.setattr(_state, "_on_app_finalizers", set(_state._on_app_finalizers))

    def task() -> None: ...

    Celery("stranger", set_as_current=False).task(name="stranger.task")(task)
    served = {name for name in system_app("amqp://nowhere.invalid//").tasks if not name.startswith("celery.")}
    assert served == {queue for queues in KINDS.values() for queue in queues}


def test_a_system_worker_serves_the_usual_queues_or_those_of_its_groups() -> None:
    assert queues_of("http") == ("system.http", "system.http_poll")
    assert queues_of("http", groups=["slow", "slower"]) == (
        "system.http-slow",
        "system.http-slower",
        "system.http_poll-slow",
        "system.http_poll-slower",
    )
    assert queues_of("script", "blue") == ("system.inline@blue", "system.json_jq_transform@blue")


@pytest.mark.parametrize("kind", [TaskFailure, TerminalError])
def test_failures_survive_the_way_between_processes(kind: Callable[..., TaskFailure]) -> None:
    import pickle

    sent = kind("why", {"code": 3})
    got = pickle.loads(pickle.dumps(sent))
    assert (type(got), got.reason, got.output, got.args) == (kind, "why", {"code": 3}, sent.args)
    assert str(got) == "why"
