"""The story of one run, told as it goes on: first how it stands, then what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from engine.api.event_stream import HEARTBEAT, HEARTBEAT_SECONDS, event
from engine.api.news import News, Watch
from engine.errors import Transient
from engine.model.payload import Json
from engine.store.port import Rows, Store
from engine.tasks import task_type
from engine.wire.fields import write_json
from engine.wire.live import run_line, task_line

#: Tasks in one event: more would make a single event too large for some clients.
_PAGE = 500

#: Seconds from one look at the run to the next at least; what happens meanwhile is told together.
_PACE_SECONDS = 0.1


class RunStory:
    """What a client has been told of one run, and what is to be told next."""

    def __init__(self, store: Store, workflow_id: str) -> None:
        self._store = store
        self.workflow_id = workflow_id
        self._version = -1
        #: What was told of each task, by its seq: only a digest, for a run may have very many.
        self._told: dict[int, int] = {}

    def look(self) -> Rows | None:
        """Read the run without people's data; None when it is not there (any more)."""
        with self._store.transaction() as tx:
            return tx.load([self.workflow_id], payloads=False).get(self.workflow_id)

    def known(self, rows: Rows) -> None:
        """Take for told how the run stands."""
        for _ in self._changes(rows):
            pass
        self._stands_at(rows)

    def knows(self, rows: Rows) -> bool:
        """True when nothing has happened since."""
        return rows.workflow.version_no == self._version

    def tell(self, rows: Rows, *, whole: bool) -> Iterator[bytes]:
        """Yield what is to be told: everything, or what has changed since. The last event names the run's version."""
        if whole:
            self._told.clear()
        gone = self._told.keys() - {task.seq for task in rows.tasks}
        for seq in gone:
            del self._told[seq]
        changed = list(self._changes(rows))
        removed = [f"{self.workflow_id}.{seq}" for seq in sorted(gone)]
        pages = [changed[at : at + _PAGE] for at in range(0, len(changed), _PAGE)] or [[]]
        for number, page in enumerate(pages):
            data = {"workflow": run_line(rows.workflow), "tasks": page}
            if whole and not number:
                name = "snapshot"
            else:
                name, data["removed"] = "change", removed if not number else []
            yield event(name, data, str(rows.workflow.version_no) if page is pages[-1] else None)
        self._stands_at(rows)

    def end(self, rows: Rows | None) -> bytes:
        """Return the last event."""
        status = None if rows is None else rows.workflow.status.value
        identity = None if rows is None else str(rows.workflow.version_no)
        return event("end", {"workflowId": self.workflow_id, "status": status}, identity)

    def _changes(self, rows: Rows) -> Iterator[Json]:
        for task in rows.tasks:
            line = task_line(task, task_type(task.type).shown_type(task))
            digest = hash(write_json(line))
            if self._told.get(task.seq) != digest:
                self._told[task.seq] = digest
                yield line

    def _stands_at(self, rows: Rows) -> None:
        self._version = rows.workflow.version_no


async def told(story: RunStory, news: News, watch: Watch, first: Rows, last_told: str | None) -> AsyncIterator[bytes]:
    """Yield the events of a run from ``first`` on, until it has ended, is gone, or the server ends.

    A client that was told up to ``last_told`` and missed nothing hears only of what is new.
    """
    rows: Rows | None = first
    whole = last_told != str(first.workflow.version_no)
    if not whole:
        story.known(first)
    while rows is not None:
        if whole or not story.knows(rows):
            for each in story.tell(rows, whole=whole):
                yield each
            whole = False
        if rows.workflow.status.is_terminal:
            break
        async for alive in _quiet(watch):
            yield alive
        if watch.closing:
            return
        rows = await _read(story, news, watch, rows)
    yield story.end(rows)


async def _quiet(watch: Watch) -> AsyncIterator[bytes]:
    """Yield signs of life until there is news."""
    while not await watch.stirs(HEARTBEAT_SECONDS):
        yield HEARTBEAT
    watch.take()


async def _read(story: RunStory, news: News, watch: Watch, before: Rows) -> Rows | None:
    """Read the run, not too often; while the database is away, it stands as before, and is read once that is back."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        return await news.reading(story.look)
    except Transient:
        watch.miss()
        return before
    finally:
        await watch.rests(max(_PACE_SECONDS, loop.time() - begun))
