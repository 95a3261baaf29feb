"""NOOP: does nothing, at once (Conductor 3.19)."""

from __future__ import annotations

from engine.tasks.step import At, Complete, Step, TaskType


class Noop(TaskType):
    """A step that only marks a place."""

    name = "NOOP"

    def start(self, at: At) -> Step:
        """Complete at once, without output."""
        return Complete()


TYPE = Noop()
