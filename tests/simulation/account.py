"""What crashes have kept from being sent: counted by kind of command, so that a reader sees that each was tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.decider.unconfirmed import recall
from engine.errors import BadMessage
from engine.model.command import (
    Abandon,
    Alert,
    Announce,
    AskChild,
    AskRun,
    Cancel,
    Command,
    Dispatch,
    PassOn,
    Reply,
    RerunChild,
    RetryChild,
    ReviveParent,
    SeeToSlot,
    StartChild,
    StartFailureWorkflow,
    TellParent,
    WakeSoon,
)
from engine.model.event import Event, StartWorkflow, Wake
from engine.model.request import Request
from engine.model.status import Slot
from engine.store.port import Rows
from engine.wire.inbound import decode
from engine.wire.message import Delivery
from tests.simulation.past import task_of

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World


class Kind(StrEnum):
    """What an event may command, as the road's promises name it."""

    TASK = "task"
    RETRY = "retry after delay"
    CHILD = "child start"
    STARTED = "parent's news: started"
    ENDED = "parent's news: ended"
    FAILURE = "failure workflow"
    CANCEL = "cancellation"
    STATUS = "status"
    REPLY = "reply"
    RESUME = "resume"
    GO_ON = "rest of a spent budget"
    SLOT = "slot asked for"
    FREED = "freed limit slot"
    RETRY_CHILD = "retry of a child"
    RERUN_CHILD = "child goes back"
    REVIVE = "parent goes on too"
    ASK = "request of a task to a run"


_KINDS: Mapping[type[Command], Kind] = {
    Dispatch: Kind.TASK,
    StartChild: Kind.CHILD,
    Cancel: Kind.CANCEL,
    Abandon: Kind.CANCEL,
    StartFailureWorkflow: Kind.FAILURE,
    Announce: Kind.STATUS,
    Alert: Kind.STATUS,
    Reply: Kind.REPLY,
    WakeSoon: Kind.GO_ON,
    RetryChild: Kind.RETRY_CHILD,
    RerunChild: Kind.RERUN_CHILD,
    AskChild: Kind.REVIVE,
    AskRun: Kind.ASK,
    PassOn: Kind.ASK,
    ReviveParent: Kind.REVIVE,
    SeeToSlot: Kind.SLOT,
}


class Account(Struct):
    """Counts of one story, or of many: crashes by point, and by kind those after the commit."""

    points: dict[str, int] = field(default_factory=dict)
    #: By kind: crashes between the commit and the ack of an event that commanded it.
    after_commit: dict[str, int] = field(default_factory=dict)
    #: Of these, those whose event came again only after newer news of the same run had been stored.
    overtaken: dict[str, int] = field(default_factory=dict)

    def add(self, other: Account) -> None:
        """Take in what another story has counted."""
        for mine, theirs in (
            (self.points, other.points),
            (self.after_commit, other.after_commit),
            (self.overtaken, other.overtaken),
        ):
            for key, number in theirs.items():
                mine[key] = mine.get(key, 0) + number


class Accountant:
    """Follows every event that was applied by a process that died, until it is done with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.account = Account()
        #: Events to come again: what they commanded, and whether newer news was stored meanwhile.
        self._pending: dict[tuple[str, str], tuple[set[Kind], bool]] = {}

    def kinds_in_hand(self, process: Process) -> set[Kind]:
        """Return what the events that a process holds and has applied have commanded."""
        return {kind for _, kinds in self._applied(process) for kind in kinds}

    def runs_in_hand(self, process: Process) -> list[str]:
        """Return the runs about which a process holds events that it has applied."""
        return list(dict.fromkeys(key[0] for key, _ in self._applied(process)))

    def crashed(self, process: Process, point: str) -> None:
        """Take note of a death."""
        _count(self.account.points, [point])
        for _, kinds in self._applied(process):
            _count(self.account.after_commit, kinds)
        self.interrupted(process)

    def interrupted(self, process: Process) -> None:
        """Take note that what a process has applied comes again."""
        self._pending |= {key: (kinds, False) for key, kinds in self._applied(process)}

    def saved(self, workflow_id: str) -> None:
        """Take note that newer news of this run has been stored."""
        for key, (kinds, _) in self._pending.items():
            if key[0] == workflow_id:
                self._pending[key] = (kinds, True)

    def acked(self, said: Event | StartWorkflow) -> None:
        """Take note that an event is done with."""
        kinds, overtaken = self._pending.pop((said.workflow_id, said.event_id), (set(), False))
        if overtaken:
            _count(self.account.overtaken, kinds)

    def awaits(self, delivery: Delivery) -> bool:
        """Return whether this event is still to come again before newer news of its run."""
        said = _read(delivery)
        return said is not None and self._pending.get((said.workflow_id, said.event_id), (set(), True))[1] is False

    def _applied(self, process: Process) -> list[tuple[tuple[str, str], set[Kind]]]:
        found = []
        for entry in process.connection._unacked:
            said = _read(Delivery(message=entry.message, queue=entry.queue.declared.name))
            rows = None if said is None else self._world.rows(said.workflow_id)
            if said is None or rows is None:
                continue
            own = [note for note in rows.workflow.unconfirmed if note[0] == said.event_id]
            commands = recall(own, said.event_id)
            if commands:
                found.append(((said.workflow_id, said.event_id), _kinds(rows, said, commands)))
        return found


def _read(delivery: Delivery) -> Event | StartWorkflow | None:
    try:
        return decode(delivery, lambda: "nobody")
    except BadMessage:
        return None


def _kinds(rows: Rows, said: Event | StartWorkflow, commands: Iterable[Command]) -> set[Kind]:
    found = {Kind.RESUME} if isinstance(said, Request) and said.verb == "resume" else set()
    for command in commands:
        if isinstance(command, TellParent):
            found.add(Kind.STARTED if command.started else Kind.ENDED)
        elif isinstance(command, Dispatch) and isinstance(said, Wake) and _is_retry(rows, command.seq):
            found.add(Kind.RETRY)
        elif isinstance(command, SeeToSlot) and _has_left(rows, command.seq):
            found.add(Kind.FREED)
        else:
            found.add(_KINDS[type(command)])
    return found


def _count(table: dict[str, int], keys: Iterable[str]) -> None:
    for key in keys:
        table[str(key)] = table.get(str(key), 0) + 1


def _has_left(rows: Rows, seq: int) -> bool:
    """True when a task, or with a seq below 0 the run, gives back the slot or place that it had under this number."""
    if seq < 0:
        return rows.workflow.slot is Slot.NONE or rows.workflow.slot_no != -seq
    task = task_of(rows, seq)
    return task is None or task.status.is_terminal


def _is_retry(rows: Rows, seq: int) -> bool:
    task = task_of(rows, seq)
    return task is not None and bool(task.retry_of)
