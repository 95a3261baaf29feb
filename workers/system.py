"""The workers that Baton brings along, ``baton worker http`` and its like: Celery pools for its own task types."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from celery import Celery

from engine.broker.compression import leave_packed
from engine.broker.topology import TaskQueueType
from engine.config import Settings
from engine.outgoing import network
from engine.wire.system_queue import system_queue
from workers import tasks
from workers.app import connect
from workers.task_log import leave_out_payloads

#: What each kind of system worker serves; queue and task have the same name.
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("system.http", "system.http_poll"),
    "script": ("system.inline", "system.json_jq_transform"),
    "event": ("system.event",),
    "kafka": ("system.kafka_publish",),
    "sql": ("system.sql",),
}

#: Seconds after which a task's process is killed. Every body has shorter limits of its own; this is for the case
#: that one of them hangs all the same (a name server that never answers, a library that waits for ever).
_HARD_LIMIT: Final = 330
#: Processes of a worker, by kind: calls mostly wait, scripts compute.
_CONCURRENCY: Final[Mapping[str, int | None]] = {"http": 16, "script": None, "event": 4, "kafka": 4, "sql": 4}


def system_app(
    broker_url: str,
    task_queues: str = TaskQueueType.CLASSIC,
    settings: Settings | None = None,
    queues: Sequence[str] = (),
) -> Celery:
    """Return the Celery app with every system task, ready for ``worker_main`` or for ``EmbeddedWorkers``.

    ``task_queues`` must be what the engine is set to. Tasks call what ``settings`` allow, by default the process's own.
    ``queues`` are served beside the usual ones, where ``-Q`` names them.
    """
    if settings is not None:
        network.use(network.rules_of(settings))
    app = Celery("baton", broker=broker_url, backend="rpc://", set_as_current=False)
    app.conf.update(
        task_time_limit=_HARD_LIMIT,
        worker_send_task_events=True,
        broker_connection_retry_on_startup=True,
        # A message that the broker did not confirm counts as not sent.
        broker_transport_options={"confirm_publish": True},
        worker_hijack_root_logger=False,
        # Whatever Celery's defaults are: nothing but JSON is opened, and nothing else is sent.
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
    )
    for module in pkgutil.iter_modules(tasks.__path__):
        body = import_module(f"{tasks.__name__}.{module.name}").run
        app.task(name=f"system.{module.name}", bind=True, shared=False)(body)
    app.finalize()
    for name in tuple(app.tasks):
        # Celery copies the tasks of every other app in the process into this one.
        if not name.startswith(("system.", "celery.")):
            app.tasks.unregister(name)
    connect(app, task_queues=task_queues, queues=queues)
    return app


def run_worker(
    kind: str,
    broker_url: str,
    concurrency: int | None = None,
    pool: str = "prefork",
    options: Sequence[str] = (),
    task_queues: str = TaskQueueType.CLASSIC,
    namespace: str | None = None,
    groups: Sequence[str] = (),
) -> None:
    """Serve the queues of one kind of system task until told to stop; ``kind`` is one of ``KINDS``.

    ``options`` are further options of ``celery worker``. The hard time limit holds in the ``prefork`` pool only. With a
    ``namespace`` or isolation ``groups`` it is their queues that are served, and not the usual ones.
    """
    leave_out_payloads()
    leave_packed()
    queues = queues_of(kind, namespace, groups)
    arguments = arguments_of(kind, queues, concurrency, pool, options)
    system_app(broker_url, task_queues, queues=queues).worker_main(arguments)


def arguments_of(
    kind: str, queues: Sequence[str], concurrency: int | None, pool: str, options: Sequence[str]
) -> list[str]:
    """Return how Celery's worker is called for a kind of system task; ``options`` are further ones.

    Without gossip, in which every worker hears every other one's sign of life, every two seconds, and nothing comes of
    it: the broker delivers the square of their number. What a worker asks the others as it starts ("mingle") stays:
    that is how it learns of revoked tasks.
    """
    arguments = ["worker", "-Q", ",".join(queues), "-P", pool, "-n", f"baton-{kind}@%h", "-E", "--without-gossip"]
    processes = concurrency or _CONCURRENCY[kind]
    return [*arguments, *options, *(("-c", str(processes)) if processes else ())]


def queues_of(kind: str, namespace: str | None = None, groups: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the queues that a worker of this kind serves, in a namespace or for isolation groups if there are any."""
    return tuple(system_queue(body, namespace, group) for body in KINDS[kind] for group in groups or (None,))
