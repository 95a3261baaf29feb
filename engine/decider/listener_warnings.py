"""What a definition says to listeners that nobody will hear, though it can be stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.decider.notices import CHANGES, START
from engine.errors import BadMessage, Fault
from engine.model.definition import WorkflowDef, WorkflowTask
from engine.model.payload import Json
from engine.wire.sink import read_sink

_KNOWN = ", ".join(sorted(CHANGES))


def sink_warnings(definition: WorkflowDef) -> Iterator[Fault]:
    """Yield what is wrong with where a workflow's notices are to go."""
    sink = definition.workflow_status_listener_sink
    if not sink:
        return
    try:
        read_sink(sink)
    except BadMessage as error:
        yield Fault("workflowStatusListenerSink", f"{error}; every notice would become a dead letter")


def change_warnings(path: str, step: WorkflowTask) -> Iterator[Fault]:
    """Yield what is wrong with what a step wants done when its task changes."""
    for names, listed in step.on_state_change.items():
        where = f"{path}.onStateChange.{names}"
        for name in names.split(","):
            if name.strip() not in CHANGES:
                yield Fault(where, f"{name.strip()[:100]!r} never happens: the changes are {_KNOWN}")
        if not isinstance(listed, list | tuple):
            yield Fault(where, "must be a list of objects with type and payload")
            continue
        for number, entry in enumerate(listed):
            yield from _entry(f"{where}[{number}]", entry)


def _entry(where: str, entry: Json) -> Iterator[Fault]:
    if not isinstance(entry, Mapping) or not entry.get("type"):
        yield Fault(where, "must be an object with type and payload")
    elif entry["type"] == START and not isinstance(entry.get("payload"), Mapping):
        yield Fault(f"{where}.payload", f"{START} needs what a start message has: a name, an input, …")
