"""What chance does to the broker: lines cut, messages doubled, disordered, held back and lost, the disk wiped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.broker import topology
from engine.wire.message import START_QUEUE, Delivery, Message, events_queue
from tests.simulation.scenario import PARTITIONS

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World

#: Steps after which an event that was held back comes again, whatever has happened meanwhile.
_HELD_BACK_STEPS = 60


class Held(Struct):
    """A message that comes later."""

    delivery: Delivery
    #: The step at which it comes at the latest.
    until: int
    #: It comes as soon as newer news of its run is stored.
    overtaken: bool


class BrokerFaults:
    """Does to the story's broker what no broker should do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hub = world.hub
        #: What a process held that has died, and starts that stand in a long line.
        self.held_back: list[Held] = []
        #: Starts of children that are to wait long, as soon as some are on their way.
        self.starts_to_hold = 0
        #: … and of how many of these the parent is to be ended meanwhile.
        self.unwanted = 0
        #: Wake-ups that are to get lost, as soon as some are on their way.
        self.wakes_to_lose = 0
        #: Kinds of message: the disk is wiped as soon as one of them waits.
        self.lost_with_the_disk: list[str] = []

    def calm(self) -> None:
        """Want nothing any more."""
        self.wakes_to_lose = self.starts_to_hold = self.unwanted = 0
        self.lost_with_the_disk.clear()

    def engine_queues(self) -> list[Any]:
        """Return the messages of every queue of the engine that holds some."""
        names = [START_QUEUE, *(events_queue(number) for number in range(PARTITIONS))]
        found = (self._hub.queues[name] for name in names if name in self._hub.queues)
        return [level for queue in found for level in queue._levels if level]

    # lines

    def break_connection(self, process: Process | None, *, late: bool = False) -> None:
        """End a process's line to the broker; with ``late`` what it held comes back after newer news, or much later."""
        if process is None:
            return
        held = [entry.message for entry in process.connection._unacked]
        with self._hub.lock:
            process.connection.break_off("the story has cut the line")
        for entry in [entry for queue in self._hub.queues.values() for entry in queue.entries()] if late else ():
            if any(entry.message is message for message in held):
                entry.queue.remove(entry)
                self._hold(entry, overtaken=True)

    def let_go(self, *, everything: bool = False) -> None:
        """Deliver again what was held back, once newer news of its run is stored or its time has come."""
        if self.wakes_to_lose:
            self._lose_wakes()
        if self.starts_to_hold:
            self._hold_starts()
        if self.lost_with_the_disk:
            waiting = {str(entry.message.headers.get("baton")) for level in self.engine_queues() for entry in level}
            for kind in waiting.intersection(self.lost_with_the_disk):
                self.lost_with_the_disk.remove(kind)
                self.wipe()
        for held in list(self.held_back):
            overtaken = held.overtaken and not self._world.accountant.awaits(held.delivery)
            if everything or self._world.step >= held.until or overtaken:
                self.held_back.remove(held)
                queue = self._hub.declare(topology.queue(held.delivery.queue))
                queue.put(held.delivery.message)
                queue._levels[0][-1].redelivered = held.overtaken

    def share(self, partition: int) -> None:
        """Have both deciders consume a partition at once, each getting what the other does not take first."""
        name = events_queue(partition)
        queue = self._hub.queues.get(name)
        if queue is None:
            return
        arguments = {key: value for key, value in queue.declared.arguments.items() if "single" not in key}
        queue.declared = type(queue.declared)(name=name, arguments=arguments)
        for process in ("decider-1", "decider-2"):
            connection = self._world.processes[process].connection
            if connection._lost is None:
                connection.consume(name, 1_000)

    def disconnect(self) -> None:
        """Break every line, always in the same order."""
        world = self._world
        lines = [process.connection for process in world.processes.values()]
        with self._hub.lock:
            for line in (*lines, world.workers.connection, world.client.connection):
                line.break_off("the story has cut every line")

    # messages

    def duplicate(self, number: int) -> None:
        """Let one message in every queue come twice."""
        for level in self.engine_queues():
            entry = level[number % len(level)]
            entry.queue.put(entry.message)
            self._world.doubled.add(str(entry.message.message_id))
            self._world.workers.heard_twice(entry.message)

    def reorder(self, number: int) -> None:
        """Let later messages come first."""
        for level in self.engine_queues():
            level.rotate(1 + number % 3)

    def _hold(self, entry: Any, *, overtaken: bool) -> None:
        there = Delivery(message=entry.message, queue=entry.queue.declared.name)
        self.held_back.append(Held(there, self._world.step + _HELD_BACK_STEPS, overtaken))

    def _hold_starts(self) -> None:
        """Let starts of children that nobody has seen yet wait, as in a line of many others."""
        for level in self.engine_queues():
            for entry in [entry for entry in level if b'"parentWorkflowTaskId"' in entry.message.body]:
                if self.starts_to_hold and not entry.redelivered:
                    entry.queue.remove(entry)
                    self._hold(entry, overtaken=False)
                    self.starts_to_hold -= 1
                    if self.unwanted:
                        self.unwanted -= 1
                        self._end_parent(entry.message)

    def _end_parent(self, start: Message) -> None:
        """Have the run ended that has asked for this one."""
        parent = str(msgspec.json.decode(start.body)["parentWorkflowTaskId"]).rpartition(".")[0]
        self._world.changed_by_chance(parent)
        self._world.client.ask(parent, "terminate", reason="enough")

    def _lose_wakes(self) -> None:
        """Lose wake-ups that nobody has seen yet; they ring again. What the rescuer asks for is asked once."""
        for level in self.engine_queues():
            for entry in [entry for entry in level if entry.message.headers.get("baton") == "wake"]:
                if self.wakes_to_lose and not entry.redelivered and b'"resend":true' not in entry.message.body:
                    entry.queue.remove(entry)
                    self.wakes_to_lose -= 1

    def purge(self, name: str) -> None:
        """Empty a task queue."""
        queue = self._hub.queues.get(name)
        for entry in list(queue.entries()) if queue is not None else ():
            entry.queue.remove(entry)
            lost = str(entry.message.headers["id"])
            self._world.changed_by_chance(lost.rpartition(".")[0])
            self._world.workers.hung.add(lost)

    def wipe(self) -> None:
        """Come back with an empty disk; a broker that is quite new yet has nothing to lose."""
        marker = self._hub.queues.get(topology.MARKER_QUEUE)
        if marker is None or not marker.length:
            return
        self._world.wiped = True
        self._world.everything_changed()
        self.disconnect()
        self._hub.queues.clear()
        self._hub.bindings.clear()
        self.held_back.clear()
