"""The calls of TaskService by which workers take tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from starlette.concurrency import run_in_threadpool

from engine.api.grpc.call import Answers, Call, Read, Write
from engine.api.polling import WAIT_MS, check_wait, queue_polled, wait_for_tasks
from engine.errors import BadMessage
from engine.model.payload import JsonObject
from engine.polling.claim import task_json
from engine.polling.distributor import Distributor
from engine.polling.poll import HandedOut
from engine.polling.poll_book import PollBook

#: Bytes of an input from which on making a message of it would keep other calls waiting.
_LARGE: Final = 65_536


class Polls:
    """Hands out tasks as the routes do; a poll that waits holds no thread."""

    def __init__(self, distributor: Distributor, book: PollBook) -> None:
        self._distributor = distributor
        self._book = book

    def calls(self) -> Mapping[str, Call]:
        """Return the calls by the names of their methods."""
        return {"Poll": Call(self._poll, waits=True), "BatchPoll": Call(self._batch_poll, waits=True)}

    async def _poll(self, read: Read, write: Write) -> Answers:
        found = await self._tasks(read(), 1, WAIT_MS)
        if not found:
            # Conductor ends the call without an answer, which its client takes for a fault.
            yield write({})
        async with aclosing(self._hand_out(found, lambda each: write({"task": task_json(each)}))) as answers:
            async for answer in answers:
                yield answer

    async def _batch_poll(self, read: Read, write: Write) -> Answers:
        asked = read()
        found = await self._tasks(asked, asked.get("count", 1), asked.get("timeout", WAIT_MS))
        async with aclosing(self._hand_out(found, lambda each: write(task_json(each)))) as answers:
            async for answer in answers:
                yield answer

    async def _tasks(self, asked: JsonObject, count: int, wait_ms: int) -> Sequence[HandedOut]:
        kind, domain, worker = asked.get("taskType"), asked.get("domain"), asked.get("workerId")
        if not kind:
            raise BadMessage("The request names no task_type.")
        check_wait(wait_ms)
        queue = queue_polled(kind, domain)
        self._book.note(kind, domain, worker)
        return await wait_for_tasks(self._distributor, None, queue, count=count, wait_ms=wait_ms, worker=worker)

    async def _hand_out(self, found: Sequence[HandedOut], written: Callable[[HandedOut], bytes]) -> Answers:
        """Yield what was taken; what is not sent is for whoever polls next."""
        sent = 0
        try:
            for each in found:
                large = len(bytes(each.input)) > _LARGE
                yield await run_in_threadpool(written, each) if large else written(each)
                sent += 1
        finally:
            if sent < len(found):
                self._distributor.give_back(found[sent:])
