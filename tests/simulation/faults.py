"""What goes wrong, and when: carries the happenings of a story out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.clock import after
from engine.store.port import Rows
from engine.wire.message import START_QUEUE, Message, events_queue
from tests.simulation.scenario import PARTITIONS, STORE_POINTS, Happening, Scenario

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Messages that nobody can read; each must end among the dead letters with its reason.
_GARBAGE = (
    (b"\x80\x04\x95 no json", {}),
    (b'{"task_id": "nobody\'s", "status": "SUCCESS"}', {}),
    (b'{"request": 7}', {"baton": "request"}),
    (b"[1, 2, 3]", {"baton": "start"}),
    (b"{}", {"baton": "no such kind"}),
)


class Faults:
    """Waits for the steps and the points at which something happens."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._due: dict[int, list[Happening]] = {}
        self._armed: dict[tuple[str, str], tuple[str, bool]] = {}
        for happening in scenario.happenings:
            if happening[0] != "worker":
                self._due.setdefault(happening[1], []).append(happening)
        self.last_step = max(self._due, default=0)
        self.requeue_late = False
        self.garbage: list[str] = []

    def at(self, process: str, point: str) -> str | None:
        """Return what happens to a process at this point, once."""
        kind, late = self._armed.pop((process, point), (None, False))
        self.requeue_late = late
        return kind

    def calm(self) -> None:
        """Let nothing happen any more."""
        self._armed.clear()
        self._due.clear()

    def happen(self, step: int) -> None:
        """Let happen what is due at this step."""
        for happening in self._due.pop(step, ()):
            kind, _, *arguments = happening
            self._world.note(f"-- {happening}")
            getattr(self, f"_{kind}")(*arguments)

    # to a process

    def _crash(self, process: str, point: str, late: bool) -> None:
        self._armed[process, point] = ("crash", late)

    def _cut(self, process: str, point: str) -> None:
        self._armed[process, point] = ("cut", False)

    def _store(self, process: str, point: str) -> None:
        assert point in STORE_POINTS
        self._armed[process, point] = ("store", False)

    def _zombie(self, process: str) -> None:
        """The broker gives a process up that goes on: what it holds is given to somebody else."""
        self._world.break_connection(self._world.processes.get(process))

    def _stall(self, process: str, seconds: int) -> None:
        if process in self._world.processes:
            self._world.processes[process].stalled_until = after(self._world.clock.now(), seconds)

    def _lease_lost(self, process: str) -> None:
        tables, owner = self._world.store._tables, self._world.owner(process)
        tables.living.pop(owner, None)
        for number in [number for number, holder in tables.leases.items() if holder == owner]:
            del tables.leases[number]

    # to the broker

    def _cut_all(self, _: int) -> None:
        self._world.disconnect()

    def _wipe(self, _: int) -> None:
        self._world.wipe()

    def _duplicate(self, number: int) -> None:
        self._world.duplicate(number)

    def _reorder(self, number: int) -> None:
        self._world.reorder(number)

    def _both_own(self, partition: int) -> None:
        """The broker hands one partition's messages to both deciders in turn."""
        self._world.share(partition)

    def _garbage(self, number: int) -> None:
        body, headers = _GARBAGE[number % len(_GARBAGE)]
        queue = (START_QUEUE, events_queue(number % PARTITIONS))[number % 2]
        name = f"garbage {number}"
        self.garbage.append(name)
        self._world.client.publish(Message(queue=queue, body=body, headers=headers, message_id=name))

    # to the clock

    def _jump(self, seconds: int) -> None:
        self._world.clock.advance(seconds)

    def _leap(self, seconds: int) -> None:
        self._world.everything_changed()
        self._world.clock.advance(seconds)

    # by people

    def _start_again(self, number: int) -> None:
        begun = self._world.begun
        if begun:
            self._world.client.start(begun[number % len(begun)])

    def _pause(self, number: int) -> None:
        self._ask(number, "pause", changes=False)

    def _resume(self, number: int) -> None:
        self._ask(number, "resume", changes=False)

    def _terminate(self, number: int) -> None:
        self._ask(number, "terminate", changes=True, reason="enough")

    def _retry(self, number: int) -> None:
        ended = [rows for rows in self._world.every_run() if rows.workflow.status.is_terminal]
        self._ask(number, "retry", changes=True, among=ended)

    def _signal(self, number: int) -> None:
        self._ask(number, "signal", changes=True)

    def _ask(self, number: int, verb: str, *, changes: bool, among: list[Rows] | None = None, **arguments: str) -> None:
        runs = self._world.every_run() if among is None else among
        if not runs:
            return
        chosen = runs[number % len(runs)].workflow.id
        if changes:
            self._world.changed_by_chance(chosen)
        self._world.client.ask(chosen, verb, **arguments)
