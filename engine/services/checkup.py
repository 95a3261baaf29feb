"""The doctor's examination: settings, database, broker, queues, server and workers, each finding with its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import httpx

from engine import __version__
from engine.broker import topology
from engine.broker.opening import is_redis
from engine.clock import SystemClock
from engine.config import Settings, load, variable_of
from engine.errors import BadConfiguration, BrokerUnavailable, SchemaTooNew, StoreUnavailable
from engine.masking import masked
from engine.model.definition import TaskDef
from engine.model.payload import JsonObject
from engine.services.finding import Finding, sentence
from engine.services.listening_checkup import examine_listening
from engine.services.opening import new_broker, partitions_of
from engine.services.poll_checkup import unpolled
from engine.services.replica_checkup import examine_replica
from engine.services.set_aside_checkup import examine_set_aside
from engine.services.storage_checkup import examine_storages
from engine.services.worker_checkup import examine_workers
from engine.store import open_store
from engine.store.migrate import pending
from engine.store.presence import processes
from engine.store.revisions import Kind
from engine.wire.message import START_QUEUE, events_queue

_RABBITMQ = ("amqp://", "amqps://", "pyamqp://")

#: What makes workers declare a task queue as the engine does, by its type.
_WORKERS_SIDE: Mapping[topology.TaskQueueType, str] = {
    topology.TaskQueueType.CLASSIC: f"Set the workers' task_queue_max_priority to {topology.MAX_PRIORITY}",
    topology.TaskQueueType.QUORUM: "Have the workers declare quorum queues: workers.connect(app, task_queues='quorum')",
}

#: The processes without which nothing goes on, and why.
_NEEDED: Mapping[str, str] = {
    "decider": "without one no workflow moves",
    "timekeeper": "without one no date is kept and nothing is rescued",
}


def examine(timeout_seconds: float) -> Iterator[Finding]:
    """Yield the findings one by one; what cannot be looked at because something else is broken is left out."""
    try:
        settings = load()
    except BadConfiguration as error:
        for fault in error.faults:
            yield Finding(subject="settings", state="fault", what=fault, remedy="Mend it in the environment or .env.")
        return
    yield Finding(subject="settings", state="ok", what="can be read")
    server, embedded = _server(settings, timeout_seconds)
    if embedded:
        # Whoever has begun with 'baton dev' has no other servers, and needs none.
        yield server
        return
    database = _database(settings)
    yield database
    if database.state == "ok":
        yield from _processes(settings)
    partitions, statistics, definitions = _kept(settings) if database.state == "ok" else (settings.partitions, {}, {})
    yield from examine_replica(settings)
    yield from examine_storages(settings)
    broker = _broker(settings, partitions)
    yield broker
    if broker.state == "ok":
        waiting = _waiting(statistics)
        yield from _queues(settings, partitions, waiting)
        if database.state == "ok":
            yield from examine_set_aside(settings)
            yield from examine_listening(settings)
        left = unpolled(settings, waiting) if database.state == "ok" else waiting
        yield from examine_workers(settings, left, definitions, timeout_seconds)
    yield server


def _database(settings: Settings) -> Finding:
    where = masked(settings.database_url)
    try:
        missing = pending(settings.database_url)
    except (StoreUnavailable, BadConfiguration) as error:
        remedy = (
            f"Start the database, or say where it is in {variable_of('database_url')} (now {where}); "
            "'baton dev' needs none."
        )
        return Finding(subject="database", state="fault", what=sentence(error), remedy=remedy)
    except SchemaTooNew as error:
        remedy = f"Install the newer version; this is {__version__}."
        return Finding(subject="database", state="fault", what=sentence(error), remedy=remedy)
    if missing:
        what = f"the tables lack {len(missing)} migration{'s' if len(missing) > 1 else ''} ({', '.join(missing)})"
        return Finding(subject="database", state="fault", what=what, remedy="Run 'baton migrate'.")
    return Finding(subject="database", state="ok", what=f"{where} answers and is up to date")


def _processes(settings: Settings) -> Iterator[Finding]:
    """Say who works on the database, in which versions, and whether an upgrade is still to be finished."""
    alive = processes(settings.database_url, SystemClock().now())
    versions = sorted({each.version for each in alive})
    counts = Counter(each.kind for each in alive)
    missing = [kind for kind in _NEEDED if not counts[kind]]
    what = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(counts.items())) or "none"
    if len(versions) > 1:
        remedy = "Replace those of the older version; both may run until then."
        yield Finding(
            subject="processes", state="warning", what=f"{what} of the versions {', '.join(versions)}", remedy=remedy
        )
    elif missing:
        remedy = "; ".join(f"start 'baton {kind}': {_NEEDED[kind]}" for kind in missing)
        yield Finding(subject="processes", state="warning", what=what, remedy=f"{remedy[0].upper()}{remedy[1:]}.")
    else:
        yield Finding(subject="processes", state="ok", what=what)
    left = pending(settings.database_url, Kind.AFTER)
    if left and len(versions) < 2:
        remedy = "Run 'baton migrate --after' once you will not go back to the version before."
        what = f"{len(left)} migration{'s' if len(left) > 1 else ''} ({', '.join(left)}) of the last upgrade are left"
        yield Finding(subject="upgrade", state="warning", what=what, remedy=remedy)


def _kept(settings: Settings) -> tuple[int, JsonObject, Mapping[str, TaskDef]]:
    store = open_store(settings.database_url, pool_size=1)
    try:
        with store.transaction() as tx:
            statistics, definitions = tx.statistics(), tx.task_defs()
        return partitions_of(store, settings), statistics, definitions
    finally:
        store.close()


def _broker(settings: Settings, partitions: int) -> Finding:
    """Connect, and declare the engine's own queues: RabbitMQ refuses when they exist with other arguments."""
    where = masked(settings.broker_url)
    try:
        broker = new_broker(settings)
        try:
            broker.reconnect()
            broker.declare_partitions(partitions)
        finally:
            broker.close()
    except BrokerUnavailable as error:
        remedy = (
            f"Start the broker, or say where it is in {variable_of('broker_url')} (now {where}); "
            "'baton dev' needs none."
        )
        return Finding(subject="broker", state="fault", what=sentence(error), remedy=remedy)
    except BadConfiguration as error:
        return Finding(
            subject="broker", state="fault", what=error.faults[0], remedy="Do that, then start the doctor again."
        )
    return Finding(subject="broker", state="ok", what=f"{where} answers and has the engine's queues")


def _waiting(statistics: JsonObject) -> dict[str, int]:
    """Return how many tasks of open runs stand SCHEDULED, by queue."""
    tasks: Mapping[str, Mapping[str, int]] = statistics.get("tasks") or {}
    return {queue: counts.get("SCHEDULED", 0) for queue, counts in tasks.items()}


def _queues(settings: Settings, partitions: int, waiting: Mapping[str, int]) -> Iterator[Finding]:
    if is_redis(settings.broker_url):
        from engine.services.redis_checkup import examine_redis  # its client is not installed everywhere

        yield from examine_redis(settings)
    if not settings.broker_url.startswith(_RABBITMQ):
        return
    from engine.broker.comparison import differing

    kind = topology.TaskQueueType(settings.task_queue_type)
    names = [START_QUEUE, *(events_queue(number) for number in range(partitions)), *waiting]
    try:
        different = differing(settings.broker_url, names, kind)
    except BrokerUnavailable as error:
        yield Finding(subject="queues", state="fault", what=sentence(error), remedy="Start the doctor again.")
        return
    for name, words in different.items():
        remedy = f"{_WORKERS_SIDE[kind]}, let the queue run empty and delete it; it is declared again as it should be."
        yield Finding(subject=f"queue {name}", state="fault", what=f"has other arguments: {words}", remedy=remedy)
    if not different:
        yield Finding(subject="queues", state="ok", what=f"{len(names)} looked at, all as they should be")


def _server(settings: Settings, timeout_seconds: float) -> tuple[Finding, bool]:
    """Return how the server is, and whether it is that of ``baton dev``."""
    try:
        answer = httpx.get(f"{settings.server_url}/health", timeout=timeout_seconds)
    except httpx.HTTPError as error:
        absent = Finding(
            subject="server",
            state="warning",
            what=f"{settings.server_url} does not answer ({error})",
            remedy=f"Start it with 'baton server', or say where it is in {variable_of('server_url')}.",
        )
        return absent, False
    if not answer.is_success:
        what = f"{settings.server_url} answers with status {answer.status_code}: {answer.text[:200]}"
        return Finding(subject="server", state="fault", what=what, remedy="Read its log."), False
    embedded = _says_embedded(answer)
    what = f"{settings.server_url} is healthy"
    if embedded:
        what += "; it is 'baton dev', which has database, broker and workers in it"
    return Finding(subject="server", state="ok", what=what), embedded


def _says_embedded(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("embedded") is True
