"""Logging: events with fields, as JSON or as coloured text on standard error, with passwords masked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from engine.masking import HIDDEN, masked, visible

#: Fields whose value is never written, whatever it is.
SECRET_FIELDS = frozenset({"password", "passwd", "secret", "token", "authorization", "api_key"})

#: Libraries that tell at INFO what is only of interest to who looks for a fault: we show it at DEBUG, and their own
#: DEBUG never.
TALKATIVE = (
    "kombu",
    "amqp",
    "httpx",
    "httpcore",
    "alembic",
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
    "celery.worker.strategy",
)

#: Libraries that report at length, with stack traces, what their caller learns from an exception and answers for: a
#: broker that is away is waited for and said in one line, and whether a queue exists is learnt from an answer "404".
ANXIOUS = ("pika",)


def get_logger(room: str) -> FilteringBoundLogger:
    """Return a logger whose events carry ``room`` (the module's name); bind ids to it once, then log events."""
    return cast(FilteringBoundLogger, structlog.get_logger(room=room))


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["text", "json"]) -> None:
    """Set up logging for this process: ours and, through the standard library's door, that of every library.

    Loggers that were made before follow too. Standard output is left alone; it belongs to what commands print.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, *_endings(form)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _room_of_library],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_endings(form)],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO if level == "debug" else max(threshold, logging.WARNING))
    for name in ANXIOUS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what must not be read in a log: passwords in URLs, and fields that are secrets by their name."""
    return _masked_mapping(event)


def show_all(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make control characters visible: what strangers have written stays in its line. JSON does so by itself."""
    return {key: _shown(value, "\n\t" if key == "exception" else "") for key, value in event.items()}


def _shown(value: object, kept: str) -> object:
    if isinstance(value, str):
        return visible(value, kept)
    # Of anything else the renderer shows what ``repr`` makes of it, which escapes by itself.
    return value


def _endings(form: Literal["text", "json"]) -> list[Processor]:
    """Return the processors that turn an event into a line; the mask stands after the stack trace is text."""
    if form == "json":
        return [structlog.processors.format_exc_info, mask_secrets, structlog.processors.JSONRenderer(default=str)]
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="at", pad_event_to=32)
    return [structlog.processors.format_exc_info, mask_secrets, show_all, renderer]


def _room_of_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["room"] = record.name
    return event


def _masked_mapping(values: Mapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        key: HIDDEN if isinstance(key, str) and key.lower() in SECRET_FIELDS else _masked_value(value)
        for key, value in values.items()
    }


def _masked_value(value: object) -> object:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, BaseException):
        return masked(str(value))
    if isinstance(value, Mapping):
        return _masked_mapping(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_masked_value(item) for item in value]
    return value
