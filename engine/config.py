"""Settings: one frozen value, read once from ``BATON_…`` variables and a ``.env`` file; all faults are told at once."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from engine.errors import BadConfiguration
from engine.masking import masked

PREFIX = "BATON_"

#: Variables with this prefix belong to the test suite (which servers it uses) and are not ours to judge.
TEST_PREFIX = "BATON_TEST_"

#: Variables with these prefixes are no settings but values for definitions: see ``engine.named_values``.
ENVIRONMENT_PREFIX = "BATON_ENV_"
SECRET_PREFIX = "BATON_SECRET_"  # noqa: S105  the name of a variable, not a secret

MEGABYTE = 1024 * 1024

#: Every address of a machine that means itself.
LOOPBACK = "127.0.0.0/8,::1/128"

#: Kubernetes tells every container about services such as ``baton-server`` in variables that look like ours.
_SERVICE_LINK = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?$")

DatabaseUrl = Annotated[
    str,
    Meta(
        pattern=r"^(postgresql\+psycopg|(mysql|mariadb)(\+pymysql)?|sqlite)://",
        description="a URL like postgresql+psycopg://user:password@host:5432/name, "
        "mysql://user:password@host:3306/name or sqlite:///file",
    ),
]
BrokerUrl = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9+.-]*://",
        description="a URL like amqp://user:password@host:5672// (any transport of kombu)",
    ),
]
HttpUrl = Annotated[str, Meta(pattern=r"^https?://[^/]", description="a URL like http://host:port")]
SqlConnections = Annotated[
    str,
    Meta(
        pattern=r"^\s*([\w.-]+=[\w+]+://\S+(\s+|$))*$",
        description="names with SQLAlchemy's URLs, as in: orders=postgresql+psycopg://user:password@host/name stock=…",
    ),
]
EventConnections = Annotated[
    str,
    Meta(
        pattern=r"^\s*([\w.-]+=[\w+]+://\S+(\s+|$))*$",
        description="names with URLs of brokers, as in: redis=redis://host:6379/0 kafka=kafka://host:9092 shop=amqp://…",
    ),
]
Networks = Annotated[str, Meta(description="networks like 10.0.0.0/8, set apart by commas")]
StorageUrl = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]*://.", description="a URL like s3://bucket/folder")]
Sinks = Annotated[
    str,
    Meta(
        pattern=r"^\s*((https?://|amqp_queue:|amqp_exchange:)\S+(\s+|$))*$",
        description="addresses like https://host/path, amqp_queue:name or amqp_exchange:name, set apart by blanks",
    ),
]
_TASK_STATUS = (
    "(SCHEDULED|IN_PROGRESS|COMPLETED|COMPLETED_WITH_ERRORS|FAILED|FAILED_WITH_TERMINAL_ERROR|TIMED_OUT|CANCELED"
    "|SKIPPED)"
)
TaskStatuses = Annotated[
    str,
    Meta(
        pattern=rf"^\s*({_TASK_STATUS}\s*(,\s*{_TASK_STATUS}\s*)*)?$",
        description="statuses of tasks like FAILED,TIMED_OUT, set apart by commas",
    ),
]
AppPath = Annotated[str, Meta(pattern=r"^[\w.]+(:[\w.]+)?$", description="a Celery app as module:attribute")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
Count = Annotated[int, Meta(ge=1, description="a whole number, at least 1")]
#: As ``Seconds``, where 0 is for ever.
Kept = Annotated[float, Meta(ge=0, le=315_360_000, description="seconds, at most ten years, or 0 for ever")]
#: At most a year, which keeps infinity and typing errors out.
Seconds = Annotated[float, Meta(gt=0, le=31_536_000, description="seconds, more than 0 and at most a year")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set; the variable of a field is ``BATON_`` and its name in capitals.

    Units stand in the names. What is shown of a setting (``repr``, ``shown``) has its passwords masked.
    """

    #: SQLAlchemy's URL of the database that holds the truth; Postgres through psycopg, MariaDB or MySQL, or SQLite.
    #: ``?pgbouncer=true`` at its end says that a PgBouncer in transaction mode stands before Postgres.
    database_url: DatabaseUrl = "postgresql+psycopg://baton:baton@localhost:5432/baton"
    #: Partitions in which a new database of Postgres gets its tables of runs and tasks, by the run's id; 0 for whole
    #: tables. Fixed at the first migration.
    table_partitions: Annotated[int, Meta(ge=0, le=1024)] = 0
    #: A replica of that database, where servers look for what is asked of many runs: searches, lists, counts. A run by
    #: its id they look for in the database itself.
    read_database_url: DatabaseUrl | None = None
    #: Whether servers only show and never change anything. Then ``database_url`` may be that of a replica.
    read_only: bool = False
    #: Celery's URL of the broker: RabbitMQ (``//`` at the end is its default virtual host) or ``redis://``.
    broker_url: BrokerUrl = "amqp://guest:guest@localhost:5672//"
    #: RabbitMQ's HTTP API, by which ``python -m deploy.policies`` sets the policies.
    management_url: HttpUrl | None = None
    #: Where the commands of the terminal find the server.
    server_url: HttpUrl = "http://localhost:8080"
    #: The address on which the server listens; it has no log-in of its own, so others are let in deliberately.
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    #: Where the server also speaks gRPC, at the same address; Conductor's port is 8090. It needs the extra ``grpc``.
    grpc_port: Port | None = None
    #: The server's certificate with those above it, as PEM: with it and its key gRPC is served by TLS only. Both files
    #: are read at the start, so one that was renewed counts after a restart.
    grpc_certificate_file: str | None = None
    #: The private key of that certificate, as PEM, without a password.
    grpc_key_file: str | None = None
    #: A folder with the files of a web UI, such as Conductor's, which the server shows to browsers; without one they
    #: see a page that says where everything is.
    ui_folder: str | None = None
    #: Requests and live streams that may wait in one server for what becomes of runs; others are refused with 429.
    waiting_limit: Count = 1_000
    #: Calls that one server has in hand at a time, over gRPC as many again; others are answered 429. Polls and streams
    #: do not count.
    http_most_requests: Count = 1_000
    #: Number of events queues. Stored in the database at the first start and changed only by a drain.
    partitions: Annotated[int, Meta(ge=1, le=1024)] = 16
    #: Most messages that one transaction takes.
    batch_size: Annotated[int, Meta(ge=1, le=10_000)] = 200
    #: Executions, and tasks in them, that a decider keeps in memory.
    cache_workflows: Count = 10_000
    cache_tasks: Count = 500_000
    #: Bytes of their payloads as JSON; in memory they take several times that.
    cache_bytes: Annotated[int, Meta(ge=MEGABYTE)] = 64 * MEGABYTE
    #: Unacked messages that the broker hands to one decider, in equal parts to its partitions but a batch at least.
    prefetch: Annotated[int, Meta(ge=1, le=65_535)] = 1_000
    #: Bytes of such messages, whatever their number. A single one may be larger.
    prefetch_bytes: Annotated[int, Meta(ge=MEGABYTE)] = 64 * MEGABYTE
    #: Bytes of the messages that one transaction takes. A single one may be larger.
    batch_bytes: Annotated[int, Meta(ge=MEGABYTE)] = 16 * MEGABYTE
    #: Steps of one decision before it is saved and goes on by a wake-up.
    step_budget: Count = 20_000
    #: New tasks of a run after which it is looked through for iterations of which keepLastN wants nothing kept; of runs
    #: with many tasks as many more.
    forget_after_tasks: Count = 64
    #: How long a decider owns a partition without renewing; the time that fail-over from one that hangs takes at most.
    lease_seconds: Seconds = 15.0
    #: How long a wake-up may stay unanswered before the timekeeper sends it again.
    ring_lease_seconds: Seconds = 10.0
    #: Longest pause between two looks of the timekeeper. Deciders tell it of dates that are nearer than that; so it is
    #: the most by which a deadline is late when such a message is lost. The same for all processes.
    timekeeper_idle_seconds: Seconds = 2.0
    #: Pause between two looks of the rescuer.
    rescuer_interval_seconds: Seconds = 5.0
    #: Executions that are remembered of each schedule: which of its dates were taken up, and what became of them.
    schedule_executions_kept: Annotated[int, Meta(ge=1, le=100_000)] = 100
    #: A task that gave no sign of life ends after this time even if its definition has no response timeout.
    unheard_timeout_seconds: Seconds = 3_600.0
    #: How often a worker may begin a task anew within one attempt, because the worker before was lost with it.
    redelivery_limit: Count = 3
    #: Processes that may die with one and the same message in hand before it is set aside.
    crash_limit: Count = 3
    #: Processor time that a batch may take in a decider before the process counts as stuck and ends itself.
    stuck_seconds: Seconds = 120.0
    #: Largest input or output of a task or workflow, as JSON.
    payload_limit_bytes: Annotated[int, Meta(ge=1_024)] = 10 * MEGABYTE
    #: Limits of one script in the decider (conditions of SWITCH and DO_WHILE).
    script_time_limit_ms: Count = 50
    script_memory_limit_bytes: Annotated[int, Meta(ge=MEGABYTE)] = 32 * MEGABYTE
    #: How deep sub-workflows may nest before a start is refused.
    max_depth: Count = 64
    #: ``quorum`` trades priorities for replication; workers must then be set the same way.
    task_queue_type: Literal["classic", "quorum"] = "classic"
    #: Whether ``isolationGroupId`` and ``executionNameSpace`` give system tasks queues of their own, which somebody has
    #: to serve; ``baton dev`` does without.
    isolated_queues: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    #: Networks that HTTP, EVENT and KAFKA_PUBLISH never call: links, and where clouds tell machines their secrets.
    outgoing_refused_networks: Networks = (
        "169.254.0.0/16,fe80::/10,100.100.100.200/32,168.63.129.16/32,192.0.0.192/32,fd00:ec2::/32,fd20:ce::254/128"
    )
    #: Networks that they may call although these are not public.
    outgoing_private_networks: Networks = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7"
    #: Addresses of the machine itself that they may call; ``baton dev`` and ``make up`` allow ``127.0.0.0/8,::1/128``.
    outgoing_loopback_networks: Networks = ""
    #: Where notices go of runs whose definition names no sink: ``https://…``, ``amqp_queue:name`` or
    #: ``amqp_exchange:name``, set apart by blanks.
    notice_sinks: Sinks = ""
    #: Statuses of tasks of which listeners are told, set apart by commas: FAILED,TIMED_OUT.
    notice_task_statuses: TaskStatuses = ""
    #: How long one call of a notice's address may take.
    notice_timeout_seconds: Seconds = 10.0
    #: How long a notice is tried again before it becomes a dead letter.
    notice_give_up_seconds: Seconds = 86_400.0
    #: How long a process that was told to stop may finish what it has begun.
    drain_seconds: Seconds = 30.0
    #: A file that deciders, starters, timekeepers, listeners and notifiers touch while they go on, at most once a
    #: second, and not while they compute one batch; by its age a supervisor sees who hangs.
    alive_file: str | None = None
    #: A directory whose files are secrets, named like them, beside the variables `BATON_SECRET_<NAME>`.
    secrets_directory: str | None = None
    #: Where large inputs and outputs are kept instead of in their rows: fsspec's URL of a folder or bucket, as in
    #: ``file:///var/lib/baton/payloads`` or ``s3://bucket/folder``. Every process that reads or writes runs needs it.
    payload_storage_url: StorageUrl | None = None
    #: From how many bytes of JSON on an input or output is kept there.
    payload_storage_threshold_bytes: Annotated[int, Meta(ge=1_024)] = MEGABYTE
    #: The databases that SQL tasks may use, by the names that definitions give them: ``name=URL``, set apart by blanks.
    sql_connections: SqlConnections = ""
    #: Where event handlers and EVENT tasks find the queues of other brokers, by the names that events begin with:
    #: ``name=URL``, set apart by blanks. ``kafka://host:9092,other:9092`` is Kafka, ``redis://`` a list in Redis,
    #: everything else a transport of kombu.
    event_connections: EventConnections = ""
    #: How long it is remembered what event handlers have done; so long is a message that comes again recognised.
    event_executions_kept_seconds: Seconds = 604_800.0
    #: How long runs are kept after they have ended, with all that is known of them; a child as long as its parent.
    ended_runs_kept_seconds: Kept = 0.0
    #: Whether what can be read of them is archived then.
    archive_ended_runs: bool = True
    #: Where archives of removed runs are kept instead of in the database: fsspec's URL of a folder or bucket, as in
    #: ``s3://bucket/folder``. Every server and timekeeper needs it.
    archive_url: StorageUrl | None = None
    #: How long archives of removed runs are kept.
    archives_kept_seconds: Kept = 0.0
    #: Messages that may wait in a run for tasks that take them.
    waiting_messages: Count = 1_000
    #: Bytes of these messages together, as JSON.
    waiting_messages_bytes: Annotated[int, Meta(ge=1_024, le=8 * MEGABYTE)] = MEGABYTE
    #: The Celery app (``module:attribute``) whose tasks ``baton dev`` carries out itself.
    app: AppPath | None = None

    def __post_init__(self) -> None:
        """Refuse values that do not fit each other."""
        faults = list(_contradictions(self))
        if faults:
            raise BadConfiguration(faults)

    def shown(self) -> dict[str, object]:
        """Return every setting by name, with passwords masked: safe to print and to log."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: masked(value) if isinstance(value, str) else value for name, value in values.items()}

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.shown().items())
        return f"Settings({inner})"

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:  # type: ignore[override]
        yield from self.shown().items()


def load(environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """Read the settings from ``environment``, and from ``.env`` in ``directory`` what the environment leaves open.

    By default that is the process's environment and its working directory. An empty value counts as not set.

    Raises:
        BadConfiguration: with one sentence for each variable that is unknown or has a value that cannot be used.
    """
    given = _given(environment, directory)
    types = get_type_hints(Settings, include_extras=True)
    values: dict[str, object] = {}
    faults: list[str] = []
    for variable, (text, source) in given.items():
        field = variable.removeprefix(PREFIX).lower()
        if field not in types or variable != variable_of(field):
            faults.append(f"{variable} ({source}) is not a setting{_nearest(variable, types)}")
            continue
        try:
            values[field] = msgspec.convert(text, types[field], strict=False)
        except msgspec.ValidationError as error:
            faults.append(f"{variable} ({source}) is {masked(text)!r}: {_wanted(types[field], error)}.")
    try:
        settings = Settings(**values)  # type: ignore[arg-type]
    except BadConfiguration as error:
        faults.extend(error.faults)
    if faults:
        raise BadConfiguration(faults)
    return settings


def named_urls(setting: str) -> dict[str, str]:
    """Return the URLs of a setting such as ``redis=redis://… shop=amqp://…`` by their names."""
    pairs = (part.partition("=") for part in setting.split())
    return {name: url for name, _, url in pairs}


def variable_of(field: str) -> str:
    """Return the name of the environment variable that sets ``field``."""
    return PREFIX + field.upper()


def variables(
    environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> dict[str, tuple[str, str]]:
    """Return value and source of every variable that is not empty; the environment outdoes the file ``.env``."""
    file = (directory or Path.cwd()) / ".env"
    found: dict[str, tuple[str, str]] = {}
    if file.is_file():
        from dotenv import dotenv_values  # most processes in production have no such file

        written = dotenv_values(file, interpolate=False)
        found = {name: (value, str(file)) for name, value in written.items() if value}
    environment = os.environ if environment is None else environment
    return found | {name: (value, "environment") for name, value in environment.items() if value}


def _given(environment: Mapping[str, str] | None, directory: Path | None) -> dict[str, tuple[str, str]]:
    """Return value and source of every variable that is meant to be a setting."""
    found = variables(environment, directory)
    return {name: found[name] for name in sorted(found) if _is_ours(name, found[name][0])}


def _is_ours(name: str, value: str) -> bool:
    if not name.startswith(PREFIX) or name.startswith((TEST_PREFIX, ENVIRONMENT_PREFIX, SECRET_PREFIX)):
        return False
    own = name.removeprefix(PREFIX).lower() in Settings.__struct_fields__
    return not _SERVICE_LINK.search(name) or (own and not value.startswith("tcp://"))


def _nearest(variable: str, fields: Collection[str]) -> str:
    from difflib import get_close_matches  # costs ten milliseconds, and only a fault needs it

    near = get_close_matches(variable.removeprefix(PREFIX).lower(), fields, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {variable_of(near[0])}?"
    return f"; there are {', '.join(variable_of(field) for field in sorted(fields))}."


def _wanted(type_: object, error: msgspec.ValidationError) -> str:
    """Return what the setting should be: the type's own words where it has some, else its choices or limits."""
    for part in get_args(type_) or ():
        if isinstance(part, Meta) and part.description:
            return f"must be {part.description}"
    for part in (type_, *get_args(type_)):
        for inner in get_args(part):
            if isinstance(inner, Meta) and inner.description:
                return f"must be {inner.description}"
    if get_origin(type_) is Literal:
        return f"must be one of {', '.join(get_args(type_))}"
    text = str(error).replace("`", "")
    return text[:1].lower() + text[1:]


def _contradictions(settings: Settings) -> Iterator[str]:
    for field in ("outgoing_refused_networks", "outgoing_private_networks", "outgoing_loopback_networks"):
        for part in filter(None, map(str.strip, getattr(settings, field).split(","))):
            try:
                ip_network(part)
            except ValueError as error:
                yield f"{variable_of(field)} has {part!r}, which is no network ({error}): write 10.0.0.0/8 or ::1/128."
    if settings.read_only and settings.grpc_port is not None:
        yield (
            f"{variable_of('read_only')} and {variable_of('grpc_port')} do not go together: a server that changes "
            "nothing speaks HTTP alone. Leave one of them out."
        )
    if settings.batch_size > settings.prefetch:
        yield (
            f"{variable_of('batch_size')} ({settings.batch_size}) is larger than {variable_of('prefetch')} "
            f"({settings.prefetch}), so that a batch could never be full: raise the second or lower the first."
        )
    if settings.cache_tasks < settings.cache_workflows:
        yield (
            f"{variable_of('cache_tasks')} ({settings.cache_tasks}) is smaller than {variable_of('cache_workflows')} "
            f"({settings.cache_workflows}); every workflow has at least one task."
        )
