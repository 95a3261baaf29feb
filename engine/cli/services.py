"""The commands that are processes: each reads the settings, sets up logging and runs until it is told to stop."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from engine.cli.failure import CONFLICT, USAGE, Failure
from engine.cli.stdio import stdio
from engine.errors import BadConfiguration, BadDefinition, NotFound, Refused

if TYPE_CHECKING:
    from engine.config import Settings

#: Entry points of this group carry out tasks; the engine itself knows none of them.
WORKERS = "baton.workers"

#: The kinds of system workers, and what each carries.
_KINDS = {
    "http": "HTTP and HTTP_POLL",
    "script": "INLINE, LAMBDA and JSON_JQ_TRANSFORM",
    "event": "EVENT",
    "kafka": "KAFKA_PUBLISH",
    "sql": "SQL and JDBC",
}


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Where the server listens.  [default: 8080]")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".baton/dev"),
    show_default=True,
    help="Where runs are kept: a new folder is a new system, an old one goes on where it stopped.",
)
@click.option(
    "--definitions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Register what is in this folder first.",
)
@click.option("--app", metavar="MODULE:APP", help="The Celery app whose tasks are to be carried out.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much is told beside what matters.  [default: warning, or BATON_LOG_LEVEL if that is not info]",
)
@click.pass_context
def dev(
    context: click.Context,
    port: int | None,
    data: Path,
    definitions: Path | None,
    app: str | None,
    log_level: str | None,
) -> None:
    """Run everything in this one process, on SQLite and a broker in memory: no server to install.

    For example: baton dev --definitions definitions --app shop.tasks:app
    """
    _import_from_here()
    # SQLAlchemy reads a path after three slashes; an absolute one makes them four.
    database = f"sqlite:///{data.absolute() / 'baton.db'}"
    settings = _settings(http_port=port, app=app, database_url=database, broker_url="memory://", log_level=log_level)
    if log_level is None and settings.log_level == "info":
        # The greeting says in a person's words what the processes of a system tell at INFO.
        _log(settings, "warning")
    from engine.cli.greeting import greeting
    from engine.services import dev as service

    try:
        code = service.run(settings, data, definitions, lambda started: click.echo(greeting(started, settings)))
    except BadConfiguration as error:
        raise Failure("\n".join(error.faults), code=USAGE) from None
    except (BadDefinition, NotFound) as error:
        raise Failure(str(error), code=USAGE) from None
    click.echo(f"Baton has stopped. The runs are in {data}.")
    context.exit(code)


@click.command()
@click.option("--host", help="The address to listen on; 0.0.0.0 lets other machines in.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.")
@click.pass_context
def server(context: click.Context, host: str | None, port: int | None) -> None:
    """Run the HTTP server."""
    settings = _settings(http_host=host, http_port=port)
    from engine.services import server as service

    context.exit(service.run(settings))


@click.command()
@click.pass_context
def decider(context: click.Context) -> None:
    """Run a decider: it moves workflows on. Start as many as you like."""
    settings = _settings()
    from engine.services import decider as service

    context.exit(service.run(settings))


@click.command()
@click.pass_context
def starter(context: click.Context) -> None:
    """Run a starter: it takes start messages only, so that a storm of them delays nobody."""
    settings = _settings()
    from engine.services import starter as service

    context.exit(service.run(settings))


@click.command()
@click.pass_context
def timekeeper(context: click.Context) -> None:
    """Run a timekeeper: it wakes what is due. Two or more share the work."""
    settings = _settings()
    from engine.services import timekeeper as service

    context.exit(service.run(settings))


@click.command()
@click.pass_context
def listener(context: click.Context) -> None:
    """Run a listener: it reads the queues of event handlers. Two or more share the work."""
    settings = _settings()
    from engine.services import listener as service

    context.exit(service.run(settings))


@click.command()
@click.pass_context
def notifier(context: click.Context) -> None:
    """Run a notifier: it brings word of runs and tasks to those who listen. Two or more share the work."""
    settings = _settings()
    from engine.services import notifier as service

    context.exit(service.run(settings))


@click.group()
def worker() -> None:
    """Run workers: system workers of one kind, or any program that carries tasks."""


def _system_workers(kind: str, types: str) -> None:
    """Add the command that runs the system workers of a kind."""

    @worker.command(
        kind,
        context_settings={"ignore_unknown_options": True},
        help=f"Run system workers for {types}. Further options are handed to 'celery worker'.",
        short_help=f"Run system workers for {types}.",
    )
    @click.option("-c", "--concurrency", type=click.IntRange(1), help="How many tasks at a time.")
    @click.option("--pool", type=click.Choice(["prefork", "threads", "solo"]), default="prefork", show_default=True)
    @click.option("--namespace", help="Serve tasks of this executionNameSpace, and no others.")
    @click.option(
        "--isolation-group", "groups", multiple=True, help="Serve tasks of this isolationGroupId, and no others."
    )
    @click.argument("celery_options", nargs=-1, type=click.UNPROCESSED)
    def run(
        concurrency: int | None,
        pool: str,
        namespace: str | None,
        groups: tuple[str, ...],
        celery_options: tuple[str, ...],
    ) -> None:
        settings = _settings()
        from engine.broker.opening import open_broker

        # Nothing is connected: a broker whose client is missing is told now, before Celery trips over it.
        open_broker(settings.broker_url)
        _worker_pool()(
            kind,
            settings.broker_url,
            concurrency=concurrency,
            pool=pool,
            options=("-l", settings.log_level, *celery_options),
            task_queues=settings.task_queue_type,
            namespace=namespace,
            groups=groups,
        )


for _kind, _types in _KINDS.items():
    _system_workers(_kind, _types)
worker.add_command(stdio)


@click.command()
@click.option("--after", is_flag=True, help="Take away what only older versions use, once no such process is left.")
@click.option("--partition", is_flag=True, help="Copy full tables into BATON_TABLE_PARTITIONS parts; nothing may run.")
def migrate(after: bool, partition: bool) -> None:
    """Bring the database's tables to what this version needs; every process does so when it starts."""
    settings = _settings()
    from engine.clock import SystemClock
    from engine.store.migrate import finish
    from engine.store.migrate import migrate as bring_up_to_date
    from engine.store.migrate import partition as divide

    url, now, parts = settings.database_url, SystemClock().now(), settings.table_partitions
    if partition and not parts:
        raise Failure("BATON_TABLE_PARTITIONS does not say how many.", code=USAGE, hint="For example 16.")
    try:
        if partition:
            divide(url, now, parts)
            click.echo(f"The tables of runs and tasks are in {parts} partitions.")
        applied = finish(url, now) if after else bring_up_to_date(url, table_partitions=parts)
    except BadConfiguration as error:
        raise Failure("\n".join(error.faults), code=USAGE) from None
    except Refused as error:
        hint = "Stop or replace them and run this again; one that was killed counts for up to 20 seconds."
        raise Failure(str(error), code=CONFLICT, hint=hint) from None
    click.echo("\n".join(f"applied {revision}" for revision in applied) or "The database is up to date.")


def _settings(**given: object) -> Settings:
    """Return the settings with what was said on the command line, and set up logging by them."""
    from msgspec.structs import replace

    from engine.config import load

    try:
        settings = replace(load(), **{name: value for name, value in given.items() if value is not None})
    except BadConfiguration as error:
        raise Failure(str(error), code=USAGE, hint="Mend the variables, in the environment or in .env.") from None
    _log(settings, settings.log_level)
    return settings


def _log(settings: Settings, level: Literal["debug", "info", "warning", "error"]) -> None:
    from engine.log import configure

    configure(level, settings.log_format)


def _worker_pool() -> Any:
    found = list(entry_points(group=WORKERS, name="system"))
    if not found:
        raise Failure(
            "The system workers are not installed.",
            hint=f"Install the package baton-engine afresh; its entry point {WORKERS} is missing.",
        )
    return found[0].load()


def _import_from_here() -> None:
    """Let ``--app`` name modules in the folder where the command is run, as Celery's own command does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
