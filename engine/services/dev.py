"""Everything in one process, for a laptop: SQLite, an in-memory broker, the road, the timekeeper, workers and server.

What the memory broker holds dies with the process, and so do the workers; the rows do not. At the next start the
rescuer finds its marker gone and publishes every open task again, so an old data folder goes on where it stopped.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import msgspec
from celery import Celery
from celery.app.utils import find_app

from engine.broker.memory import MemoryBroker
from engine.clock import SystemClock
from engine.config import LOOPBACK, Settings
from engine.errors import BadConfiguration
from engine.log import get_logger
from engine.services.archivist import archivist_beside
from engine.services.decider import RoadService
from engine.services.listener import Listener
from engine.services.notifier import Notifier
from engine.services.opening import ready_store
from engine.services.registering import register_folder
from engine.services.server import application, check_served, listen, serve, url_of
from engine.services.stopping import Stop
from engine.services.timekeeper import Timekeeper
from engine.store.port import Store

log = get_logger(__name__)

#: Threads that run task functions; more than a laptop's cores, because most tasks wait for something.
_THREADS = 16


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What there is once everything runs, for whoever greets the person that started it."""

    url: str
    data: Path
    #: Names of the registered workflows, and how many tasks have a definition.
    workflows: Sequence[str]
    task_definitions: int
    #: The queues that are served in this process for the user's Celery app.
    tasks: Sequence[str]


class Workers(Protocol):
    """What the package ``workers`` offers for running tasks in this process."""

    @property
    def queues(self) -> Sequence[str]:
        """The queues that are served, the system's among them."""
        ...

    def start(self) -> None:
        """Begin to take tasks."""
        ...

    def stop(self, drain_seconds: float) -> bool:
        """Take no more tasks and wait for those that run."""
        ...


def run(
    settings: Settings,
    data: Path,
    definitions: Path | None = None,
    greet: Callable[[Started], None] = lambda _: None,
) -> int:
    """Run the whole of Baton on the folder ``data`` until Ctrl-C or SIGTERM; return the exit code.

    What is in the folder ``definitions`` is registered first, and ``greet`` is called when everything runs. Raises
    ``BadDefinition`` when something in the folder is wrong, ``NotFound`` when nothing is in it, ``BadConfiguration``
    when the port is taken, the data cannot be kept or the Celery app cannot be loaded.
    """
    hub = MemoryBroker()
    if not settings.outgoing_loopback_networks:
        # The services that a developer's workflows call run on the same machine.
        settings = msgspec.structs.replace(settings, outgoing_loopback_networks=LOOPBACK)
    # There is one pool of workers, and it serves the queues that are known beforehand.
    settings = msgspec.structs.replace(settings, isolated_queues=False)
    workers = _workers(settings, hub)
    _make(data)
    stop = Stop()
    stop.on_signals()
    check_served(settings)
    listener = listen(settings)
    store = ready_store(settings, stop, alone=True)
    if store is None:
        return 0
    if definitions is not None:
        register_folder(store, definitions)
    threads = _engine(settings, store, hub, stop)
    workers.start()
    for thread in threads:
        thread.start()
    started = _started(settings, store, data, workers)
    app, end_waits = application(settings, store, hub.connect, stop, embedded=True)
    with archivist_beside(store, settings, stop):
        serve(app, listener, settings, stop, lambda: greet(started), leaving=end_waits)
        stop.now()
    workers.stop(settings.drain_seconds)
    for thread in threads:
        thread.join(settings.drain_seconds)
    store.close()
    return 0


def _make(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadConfiguration(
            [f"The folder {data} cannot be made ({error.strerror}): choose another --data."]
        ) from None


def _started(settings: Settings, store: Store, data: Path, workers: Workers) -> Started:
    with store.transaction() as transaction:
        workflows = {each.name for each in transaction.workflow_defs()}
        tasks = len(transaction.task_defs())
    return Started(
        url=url_of(settings),
        data=data,
        workflows=sorted(workflows),
        task_definitions=tasks,
        tasks=sorted(queue for queue in workers.queues if not queue.startswith("system.")),
    )


def _engine(settings: Settings, store: Store, hub: MemoryBroker, stop: Stop) -> list[threading.Thread]:
    road = RoadService(store, hub.connect(), settings, stop, clock=SystemClock(), starter=False)
    timekeeper = Timekeeper(store, hub.connect(), settings, stop, clock=SystemClock(), workers_die_with_us=True)
    listener = Listener(store, hub.connect, settings, stop, clock=SystemClock())
    notifier = Notifier(store, hub.connect(), settings, stop, clock=SystemClock())
    return [
        threading.Thread(target=road.run, name="decider", daemon=True),
        threading.Thread(target=notifier.run, name="notifier", daemon=True),
        threading.Thread(target=timekeeper.run, name="timekeeper", daemon=True),
        threading.Thread(target=listener.run, name="listener", daemon=True),
    ]


def _workers(settings: Settings, hub: MemoryBroker) -> Workers:
    """Return the pool that runs the system tasks and those of the user's Celery app."""
    offered = {entry.name: entry for entry in entry_points(group="baton.workers")}
    if "embedded" not in offered:
        raise BadConfiguration(["The package 'workers' is not installed beside the engine: reinstall Baton."])
    apps: list[Celery] = [offered["system_app"].load()("memory://", settings=settings)]
    if settings.app is not None:
        apps.insert(0, _find_app(settings.app))
    pool: Workers = offered["embedded"].load()(hub.connect, apps, threads=_THREADS)
    return pool


def _find_app(path: str) -> Celery:
    """Return the user's Celery app; whatever importing their modules raises is told in a sentence."""
    try:
        app = find_app(path)
        if isinstance(app, Celery):
            # As Celery's own worker does: the modules in ``include`` hold the tasks.
            app.loader.import_default_modules()
            app.finalize()
            return app
        why = f"it is no Celery app, but of the kind {type(app).__name__}"
    except (Exception, SystemExit) as error:
        why = _explained(error, path)
    advice = "Give it as module:attribute, from the folder in which the module lies."
    raise BadConfiguration([f"The Celery app {path!r} cannot be loaded: {why}. {advice}"])


def _explained(error: BaseException, path: str) -> str:
    """Return what went wrong on importing an app, with the place in the user's own modules if it was there."""
    if isinstance(error, ModuleNotFoundError) and error.name == path and error.__context__ is not None:
        # Celery takes a missing attribute for a part of the module's name.
        error = error.__context__
    here = str(Path.cwd())
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(here) and "site-packages" not in frame.filename and frame.filename != __file__
    ]
    place = f" ({Path(theirs[-1].filename).relative_to(here)}, line {theirs[-1].lineno})" if theirs else ""
    return f"{type(error).__name__}: {error}{place}"
