"""Word for listeners: what a definition or the settings want told of a run and its tasks, and how it is sent.

Runs and tasks that nobody listens to cost nothing: no command, no message. What is told is a command like any other, so
it is published with the broker's confirm before the event that led to it is acked, and again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.decider.context import evaluated
from engine.decider.draft import Draft, Turn
from engine.decider.execution import Execution
from engine.decider.notice_documents import run_document, task_document
from engine.errors import BatonError
from engine.model.command import Notify
from engine.model.execution import Task
from engine.model.payload import Json
from engine.model.status import TaskStatus
from engine.wire.fields import write_json
from engine.wire.message import START_QUEUE, Message
from engine.wire.notice import Notice, encode_notice

#: Bytes of a topic: it may be a routing key.
_LONGEST_TOPIC: Final = 255

#: Changes of a task as ``onStateChange`` names them.
_ON_START: Final = "onStart"
_CHANGES: Final = {
    TaskStatus.SCHEDULED: "onScheduled",
    TaskStatus.IN_PROGRESS: _ON_START,
    TaskStatus.COMPLETED: "onSuccess",
    TaskStatus.FAILED: "onFailed",
    TaskStatus.FAILED_WITH_TERMINAL_ERROR: "onFailed",
    TaskStatus.TIMED_OUT: "onFailed",
    TaskStatus.CANCELED: "onCancelled",
}
CHANGES: Final = frozenset(_CHANGES.values())

#: Ends that somebody has brought about who had the task in hand, even if nobody said that it had begun.
_WORKED_ON: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR})

#: The type of entry that starts a run instead of telling a listener; its payload is a start message.
START: Final = "start_workflow"


def tell(draft: Draft, *events: str) -> None:
    """Tell the listeners of the run of an event in its life, if its definition wants that."""
    if draft.definition.workflow_status_listener_enabled:
        for event in events:
            draft.command(Notify(0, event, draft.now))


def tell_turns(draft: Draft) -> None:
    """Tell what has become of tasks since this was last asked, as the settings and each task's own step want it."""
    turns, draft.turns = draft.turns, []
    for turn in turns:
        task = draft.tasks.get(turn.seq)
        if task is None:
            # Taken out of the run meanwhile, to be done over.
            continue
        if turn.status in draft.surroundings.told_statuses and _is_told(draft, task):
            draft.command(Notify(turn.seq, turn.status.value, draft.now))
        wanted = draft.plans[turn.seq].step.on_state_change
        if wanted:
            _tell_change(draft, turn, task, wanted)


def _is_told(draft: Draft, task: Task) -> bool:
    return draft.plans[task.seq].definition_of(task).task_status_listener_enabled


def _tell_change(draft: Draft, turn: Turn, task: Task, wanted: Mapping[str, Json]) -> None:
    begun = turn.before is TaskStatus.SCHEDULED and turn.status in _WORKED_ON
    for change in (_ON_START if begun else None, _CHANGES.get(turn.status)):
        if change is None:
            continue
        for number, entry in enumerate(entries(wanted, change)):
            payload = {"type": str(entry.get("type")), "payload": _evaluated(draft, entry.get("payload"), task)}
            draft.command(Notify(turn.seq, change, draft.now, {**payload, "number": number}))


def entries(wanted: Mapping[str, Json], change: str) -> Iterator[Mapping[str, Json]]:
    """Yield what a step wants done at a change; one key may name several, set apart by commas."""
    for names, listed in wanted.items():
        if change in (name.strip() for name in names.split(",")) and isinstance(listed, list | tuple):
            yield from (entry for entry in listed if isinstance(entry, Mapping))


def _evaluated(draft: Draft, payload: Json, task: Task) -> Json:
    """Return a payload as it is at this moment; one that cannot be evaluated says so, and ends nothing."""
    try:
        return evaluated(draft, payload, task.seq)
    except BatonError as error:
        return {"error": f"The payload could not be evaluated: {error}"}


def notices(run: Execution, command: Notify, default_sinks: Sequence[str]) -> Iterator[Message]:
    """Yield the messages of a notice: one for each sink, the definition's own or else those of the settings."""
    workflow, definition, hidden = run.workflow, run.definition, run.definition.masked_fields
    task = run.tasks.get(command.seq)
    if command.seq and task is None:
        return
    said = command.payload
    identity = f"{task.id if task else workflow.id}/{command.event}/{command.at}"
    if said is not None:
        identity += f"/{said['number']}"
        if said["type"] == START:
            # What is wrong with it is told where starts are read: it becomes a dead letter with every fault.
            yield Message(queue=START_QUEUE, body=write_json(said["payload"]), message_id=identity)
            return
    sinks = [definition.workflow_status_listener_sink] if definition.workflow_status_listener_sink else default_sinks
    if not sinks:
        return
    if task is None:
        document = run_document(identity, command.event, command.at, workflow, hidden)
    else:
        document = task_document(identity, command.event, command.at, workflow, task, hidden)
    if said is not None:
        document = {**document, "type": said["type"], "payload": said["payload"]}
    for sink in sinks:
        yield encode_notice(Notice(id=identity, sink=sink, topic=_topic(run, command, task), document=document))


def _topic(run: Execution, command: Notify, task: Task | None) -> str:
    kind, name = ("workflow", run.workflow.name) if task is None else ("task", task.name)
    topic = f"{kind}.{command.event.lower()}.{name}".encode("utf-8", "replace")
    return topic[:_LONGEST_TOPIC].decode("utf-8", "ignore")
