"""A poll: what a worker wants, and the tasks that it is handed."""

from __future__ import annotations

from concurrent.futures import Future

from msgspec import Raw, Struct

from engine.model.payload import Json


class HandedOut(Struct, frozen=True):
    """A task that is IN_PROGRESS for whoever polled: Conductor's Task object, and its input as it was written."""

    task_id: str
    workflow_id: str
    task: dict[str, Json]
    input: Raw


class Poll:
    """A worker's wish for up to ``count`` tasks of one queue until a moment (monotonic seconds); used by one thread.

    ``answer`` may be waited for, and cancelled, by any other.
    """

    __slots__ = ("answer", "count", "got", "pending", "queue", "until", "worker")

    def __init__(self, queue: str, count: int, until: float, worker: str | None) -> None:
        self.queue = queue
        self.count = count
        self.until = until
        self.worker = worker
        self.answer: Future[list[HandedOut]] = Future()
        #: Tasks that the road was asked for and has not spoken about.
        self.pending = 0
        self.got: list[HandedOut] = []

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.answer.done()
