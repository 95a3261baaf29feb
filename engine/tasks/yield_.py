"""YIELD: gives control away until a signal brings it back (Orkes)."""

from __future__ import annotations

from engine.tasks.step import At, Hold, Step, TaskType


class Yield(TaskType):
    """A point at which whoever drives the run from outside is to go on."""

    name = "YIELD"
    takes_signal = True

    def start(self, at: At) -> Step:
        """Stay open until somebody signals."""
        return Hold()


TYPE = Yield()
