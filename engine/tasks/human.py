"""HUMAN: waits until a person, through the API, completes or fails it (Conductor 3.12)."""

from __future__ import annotations

from engine.tasks.step import At, Hold, Step, TaskType


class Human(TaskType):
    """Unlike Conductor's, an open one suspends nobody else's timeouts."""

    name = "HUMAN"
    takes_signal = True

    def start(self, at: At) -> Step:
        """Stay open until somebody answers."""
        return Hold()


TYPE = Human()
