"""Waits for tasks on behalf of a client that polls, and notices when the client has gone."""

from __future__ import annotations

import asyncio

from fastapi import Request

from engine.errors import BadMessage
from engine.model.payload import Json
from engine.polling.distributor import Distributor
from engine.polling.poll import HandedOut, Poll
from engine.wire.message import is_engines_own

#: Milliseconds that a client may wait at most (reference 5.4).
LONGEST_WAIT_MS = 5000

#: Milliseconds that a poll waits which does not say how long.
WAIT_MS = 100

#: Tasks that one poll gets at most.
MOST_TASKS = 1000

#: Bytes of a queue's name that AMQP carries, and characters of a worker's name that are kept.
_LONGEST_NAME = 255


def queue_polled(task_type: str, domain: str | None) -> str:
    """Return the queue that a worker polls; raise ``BadMessage`` for one that holds no tasks of workers."""
    queue = f"{domain}:{task_type}" if domain else task_type
    if is_engines_own(queue):
        raise BadMessage(f"{queue!r} is a queue of Baton's own: there are no tasks in it.")
    if len(queue.encode()) > _LONGEST_NAME:
        raise BadMessage(f"The task type and domain together may have {_LONGEST_NAME} bytes, not more.")
    return queue


def check_wait(wait_ms: int) -> None:
    """Raise ``BadMessage`` when a client wants to wait longer than it may."""
    if wait_ms > LONGEST_WAIT_MS:
        raise BadMessage(f"'timeout' may be {LONGEST_WAIT_MS} ms at most, not {wait_ms}: poll again after that.")


async def wait_for_tasks(
    distributor: Distributor, client: Request | None, queue: str, *, count: int, wait_ms: int, worker: str | None
) -> list[HandedOut]:
    """Return up to ``count`` tasks of a queue as soon as there are any, none after ``wait_ms``.

    All are IN_PROGRESS for this worker. When the client hangs up meanwhile, what was taken for it is given back; where
    there is no ``client`` to be asked, its hanging up cancels the caller.
    """
    if count <= 0:
        return []
    poll = distributor.poll(queue, min(count, MOST_TASKS), max(0, wait_ms) / 1000, name_of(worker))
    return await answer_of(distributor, client, poll)


def name_of(worker: str | None) -> str | None:
    """Return a worker's name as it is kept."""
    return worker[:_LONGEST_NAME] if worker else None


async def answer_of(distributor: Distributor, client: Request | None, poll: Poll) -> list[HandedOut]:
    """Return what a poll is answered with, nothing where the client has hung up; see ``wait_for_tasks``."""
    gone = asyncio.ensure_future(_hang_up(client) if client else asyncio.get_running_loop().create_future())
    try:
        return await _answer(distributor, poll, gone)
    except asyncio.CancelledError:
        distributor.hang_up(poll)
        raise
    finally:
        gone.cancel()


async def _answer(distributor: Distributor, poll: Poll, gone: asyncio.Future[None]) -> list[HandedOut]:
    answer = asyncio.wrap_future(poll.answer)
    either: set[asyncio.Future[Json]] = {answer, gone}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        distributor.hang_up(poll)
        return []
    tasks = await answer
    if gone.done():
        distributor.give_back(tasks)
        return []
    return tasks


async def _hang_up(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
