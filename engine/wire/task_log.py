"""Logs of tasks as Conductor's clients know them: TaskExecLog (reference 5.4)."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from engine.clock import LATEST, MILLISECOND, Instant, milliseconds
from engine.errors import BadMessage
from engine.model.payload import Json
from engine.wire.fields import kind_of

#: Characters of one entry that are kept.
LONGEST_ENTRY: Final = 100_000

#: Entries that one result may bring.
MOST_ENTRIES: Final = 1_000


class Entry(Struct, frozen=True):
    """An entry as a worker has sent it; ``at`` is when it was written, where the worker says so."""

    text: str
    at: Instant | None = None


def log_json(task_id: str, text: str, at: Instant) -> dict[str, Json]:
    """Return a TaskExecLog."""
    return {"log": text, "taskId": task_id, "createdTime": milliseconds(at)}


def read_logs(document: Json) -> list[Entry]:
    """Return the entries of the ``logs`` in a TaskResult; raise ``BadMessage`` naming what is wrong."""
    given = document.get("logs") if isinstance(document, dict) else None
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadMessage(f"task result: 'logs' must be a list, not {kind_of(given)}.")
    if len(given) > MOST_ENTRIES:
        raise BadMessage(f"task result: 'logs' has {len(given):,} entries, {MOST_ENTRIES:,} are taken at a time.")
    return [_entry(entry, place) for place, entry in enumerate(given)]


def read_entry(body: bytes) -> str:
    """Return the text of an entry that was sent by itself: a JSON string, or whatever else stands there."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = None
    text = value if isinstance(value, str) else body.decode("utf-8", "replace")
    return text[:LONGEST_ENTRY]


def _entry(entry: Json, place: int) -> Entry:
    text = entry.get("log") if isinstance(entry, dict) else entry
    if not isinstance(text, str):
        raise BadMessage(f"task result: 'logs[{place}].log' must be a text, not {kind_of(text)}.")
    written = entry.get("createdTime") if isinstance(entry, dict) else None
    if not isinstance(written, int) or isinstance(written, bool) or not 0 < written <= milliseconds(LATEST):
        return Entry(text[:LONGEST_ENTRY])
    return Entry(text[:LONGEST_ENTRY], Instant(written * MILLISECOND))
