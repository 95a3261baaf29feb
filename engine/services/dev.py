"""Everything in one process, for a laptop: SQLite, an in-memory broker, the road, the timekeeper, workers and server.

What the memory broker holds dies with the process, and so do the workers; the rows do not. At the next start the
rescuer finds its marker gone and publishes every open task again, so an old data folder goes on where it stopped.
"""

from __future__ import annotations

import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from celery import Celery
from celery.app.utils import find_app

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import SystemClock
from engine.config import Settings
from engine.errors import BadConfiguration
from engine.log import get_logger
from engine.services.decider import RoadService
from engine.services.opening import partitions_of, ready_store
from engine.services.registering import register_folder
from engine.services.server import listen, serve
from engine.services.stopping import Stop
from engine.services.timekeeper import Timekeeper
from engine.store.port import Store

log = get_logger(__name__)

#: Threads that run task functions; more than a laptop's cores, because most tasks wait for something.
_THREADS = 16


class Workers(Protocol):
    """What the package ``workers`` offers for running tasks in this process."""

    def start(self) -> None:
        """Begin to take tasks."""
        ...

    def stop(self, drain_seconds: float) -> bool:
        """Take no more tasks and wait for those that run."""
        ...


def run(settings: Settings, data: Path, definitions: Path | None = None) -> int:
    """Run the whole of Baton on the folder ``data`` until Ctrl-C or SIGTERM; return the exit code.

    What is in the folder ``definitions`` is registered first. Raises ``BadDefinition`` when something in it is wrong,
    ``BadConfiguration`` when the port is taken or the Celery app cannot be loaded.
    """
    data.mkdir(parents=True, exist_ok=True)
    stop = Stop()
    stop.on_signals()
    listener = listen(settings)
    store = ready_store(settings, stop)
    if store is None:
        return 0
    if definitions is not None:
        register_folder(store, definitions)
    hub = MemoryBroker()
    workers = _workers(settings, hub)
    threads = _engine(settings, store, hub, stop)
    workers.start()
    for thread in threads:
        thread.start()
    serve(create_app(store, Requester(hub.connect, partitions_of(store, settings))), listener, settings)
    stop.now()
    workers.stop(settings.drain_seconds)
    for thread in threads:
        thread.join(settings.drain_seconds)
    store.close()
    return 0


def _engine(settings: Settings, store: Store, hub: MemoryBroker, stop: Stop) -> list[threading.Thread]:
    road = RoadService(store, hub.connect(), settings, stop, clock=SystemClock(), starter=False)
    timekeeper = Timekeeper(store, hub.connect(), settings, stop, clock=SystemClock(), workers_die_with_us=True)
    return [
        threading.Thread(target=road.run, name="decider", daemon=True),
        threading.Thread(target=timekeeper.run, name="timekeeper", daemon=True),
    ]


def _workers(settings: Settings, hub: MemoryBroker) -> Workers:
    """Return the pool that runs the system tasks and those of the user's Celery app."""
    offered = {entry.name: entry for entry in entry_points(group="baton.workers")}
    if "embedded" not in offered:
        raise BadConfiguration(["The package 'workers' is not installed beside the engine: reinstall Baton."])
    apps: list[Celery] = [offered["system_app"].load()("memory://")]
    if settings.app is not None:
        apps.insert(0, _find_app(settings.app))
    pool: Workers = offered["embedded"].load()(hub.connect, apps, threads=_THREADS)
    return pool


def _find_app(path: str) -> Celery:
    try:
        app: Celery = find_app(path)
        # As Celery's own worker does: the modules in ``include`` hold the tasks.
        app.loader.import_default_modules()
        return app
    except (ImportError, AttributeError) as error:
        raise BadConfiguration(
            [f"The Celery app {path!r} cannot be loaded ({error}): give it as module:attribute, from this folder."]
        ) from None
