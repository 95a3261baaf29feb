"""The doctor's questions to running Celery workers: are they set as the engine needs it, and what do they serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from celery import Celery

from engine.broker import topology
from engine.broker.opening import is_redis
from engine.config import Settings
from engine.model.definition import TaskDef
from engine.services.finding import Finding, sentence
from engine.wire.system_queue import body_of

#: What a Celery worker must be set to when its app is not connected by ``workers.connect``, and what else happens.
_SETTINGS: Mapping[str, tuple[object, str]] = {
    "result_backend": ("rpc://", "the engine never hears of its results"),
    "task_acks_late": (True, "a killed worker loses its tasks until they time out"),
    "worker_prefetch_multiplier": (1, "urgent tasks wait behind those it has fetched"),
}

#: The same for the setting by which a worker declares task queues as the engine does; Redis knows no such thing.
_DECLARING: Mapping[topology.TaskQueueType, tuple[str, object]] = {
    topology.TaskQueueType.CLASSIC: ("task_queue_max_priority", topology.MAX_PRIORITY),
    topology.TaskQueueType.QUORUM: ("task_create_missing_queue_type", "quorum"),
}
_REFUSED = "it is refused the engine's task queues"

#: Options of kombu's transport for Redis that change where messages lie.
_ELSEWHERE = ("priority_steps", "sep", "global_keyprefix")

#: Seconds: kombu's own visibility timeout.
_VISIBILITY = 3_600

Conf = Mapping[str, Any]
Queues = list[Mapping[str, Any]]


def examine_workers(
    settings: Settings, waiting: Mapping[str, int], definitions: Mapping[str, TaskDef], timeout_seconds: float
) -> Iterator[Finding]:
    """Ask the running Celery workers for their settings and queues; the silent ones cannot be told from none.

    ``waiting`` is how many tasks are SCHEDULED, by queue.
    """
    with Celery("baton-doctor", broker=settings.broker_url, set_as_current=False) as app:
        connection = app.connection_for_write()
        try:
            inspect = app.control.inspect(timeout=timeout_seconds)
            conf, queues = inspect.conf() or {}, inspect.active_queues() or {}
        except (OSError, *connection.connection_errors, *connection.channel_errors) as error:
            yield Finding(subject="workers", state="fault", what=sentence(error), remedy="Start the doctor again.")
            return
    if not conf:
        remedy = "Start yours with 'celery -A <your app> worker', and 'baton worker http' for HTTP tasks."
        yield Finding(subject="workers", state="warning", what="no Celery worker answered", remedy=remedy)
    for name in sorted(conf):
        own_conf, own_queues = conf[name] or {}, queues.get(name) or []
        yield _worker(settings, name, own_conf, own_queues)
        if is_redis(settings.broker_url):
            yield from _on_redis(name, own_conf, own_queues, definitions)
    served = {queue["name"] for several in queues.values() for queue in several or ()}
    for queue, count in sorted(waiting.items()):
        if count and conf and queue not in served:
            what = f"{count:,} tasks wait and no worker serves it"
            yield Finding(subject=f"queue {queue}", state="warning", what=what, remedy=_remedy(queue))


def _remedy(queue: str) -> str:
    """Return who would serve a queue that nobody serves."""
    if body_of(queue) in (None, queue):
        return f"Start a worker with -Q {queue}."
    return (
        "Start 'baton worker' with the --namespace and --isolation-group that the task definition names, or let the "
        "usual workers have these tasks too: BATON_ISOLATED_QUEUES=false for deciders and starters."
    )


def _worker(settings: Settings, name: str, conf: Conf, queues: Queues) -> Finding:
    kind = topology.TaskQueueType(settings.task_queue_type)
    declaring, value = _DECLARING[kind]
    if _connected(kind, conf, queues):
        return Finding(subject=f"worker {name}", state="ok", what="is connected to the engine")
    needed = dict(_SETTINGS)
    if not is_redis(settings.broker_url):
        needed[declaring] = (value, _REFUSED)
    missing = [
        f"{setting} is {conf.get(setting)!r}, not {wanted!r} ({otherwise})"
        for setting, (wanted, otherwise) in needed.items()
        if not _as_wanted(setting, conf.get(setting), wanted)
    ]
    if not missing:
        return Finding(subject=f"worker {name}", state="ok", what="is set as the engine needs it")
    remedy = "Mend these settings, or call workers.connect(app) where the app is made, which does it all."
    return Finding(subject=f"worker {name}", state="warning", what="; ".join(missing), remedy=remedy)


def _connected(kind: topology.TaskQueueType, conf: Conf, queues: Queues) -> bool:
    """Return whether ``workers.connect`` made the app's queues: they have arguments that no setting gave."""
    wanted = topology.queue("any", kind).arguments
    given = any((queue.get("queue_arguments") or {}) == wanted for queue in queues)
    setting, _ = _DECLARING[kind]
    return given and conf.get(setting) in (None, topology.TaskQueueType.CLASSIC.value)


def _as_wanted(setting: str, value: object, wanted: object) -> bool:
    if setting == "result_backend":
        return str(value or "").startswith("rpc")
    return value == wanted


def _on_redis(name: str, conf: Conf, queues: Queues, definitions: Mapping[str, TaskDef]) -> Iterator[Finding]:
    """Look at the options of the transport: where messages are looked for, and when they are given to others."""
    options: Mapping[str, Any] = conf.get("broker_transport_options") or {}
    moved = [option for option in _ELSEWHERE if options.get(option)]
    if moved:
        what = f"broker_transport_options has {', '.join(moved)}: it does not look where the engine puts tasks"
        remedy = "Take these options out."
        yield Finding(subject=f"worker {name}", state="fault", what=what, remedy=remedy)
    if "unacked_key" in options:
        # Leased by workers.connect: renewed while the task runs.
        return
    visibility = options.get("visibility_timeout", _VISIBILITY)
    names = {str(queue["name"]).rpartition(":")[2] for queue in queues}
    longest = {
        each: max(definition.response_timeout_seconds, definition.timeout_seconds)
        for each, definition in definitions.items()
        if each in names
    }
    for task, seconds in sorted(longest.items()):
        if seconds > visibility:
            what = (
                f"its visibility timeout is {visibility:g} s, but the task {task} may take {seconds:,} s: meanwhile it "
                "would be handed out a second time"
            )
            remedy = "Raise visibility_timeout in broker_transport_options, or call workers.connect(app)."
            yield Finding(subject=f"worker {name}", state="warning", what=what, remedy=remedy)
