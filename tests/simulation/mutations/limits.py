"""Mutations of the limits of task definitions: how many may be out, and who is next."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_SLOTS, _LIMIT, _APPLY = "engine/slots.py", "engine/model/limit.py", "engine/decider/apply.py"

LIMITS: tuple[Mutation, ...] = (
    mutation("one slot too many", _LIMIT, "rooms.append(self.at_once - held)", "rooms.append(self.at_once - held + 1)"),
    mutation(
        "a task that is limited goes out without a slot",
        "engine/decider/carry.py",
        "    if now_visible and _must_wait(draft, task):\n",
        "    if now_visible and task.slot is None and is_limited(draft, task):\n",
    ),
    mutation(
        "a granted slot is not taken up",
        _APPLY,
        "    if task is None or task.slot is not Slot.WAITING:\n",
        "    if task is None or task.slot is Slot.WAITING:\n",
    ),
    mutation(
        "a window that is full is not looked at again",
        _LIMIT,
        "            return after(first if started else now, self.seconds)\n",
        "            return NEVER\n",
    ),
)
