"""How calls are answered: from the JSON of a request to messages, blocking work in the server's pool of threads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable

from msgspec import Struct
from starlette.concurrency import run_in_threadpool

from engine.model.payload import JsonObject

#: Gives the request as JSON; raises ``BadMessage`` when it cannot be read.
Read = Callable[[], JsonObject]

#: Makes an answer of JSON ready to be sent.
Write = Callable[[JsonObject], bytes]

#: The answers to one call, in their order; the one that is waited for was not sent if the generator is closed there.
Answers = AsyncGenerator[bytes, None]


class Call(Struct, frozen=True):
    """How the calls of one method are answered; ``waits`` says that they may be many, because they hold no thread."""

    answers: Callable[[Read, Write], Answers]
    waits: bool = False


def one(function: Callable[[JsonObject], JsonObject], *, waits: bool = False) -> Call:
    """Return the call that a blocking function answers."""

    async def answers(read: Read, write: Write) -> Answers:
        yield await run_in_threadpool(lambda: write(function(read())))

    return Call(answers, waits)


def many(function: Callable[[JsonObject], Iterable[JsonObject]]) -> Call:
    """Return the call that a blocking function answers with a stream."""

    async def answers(read: Read, write: Write) -> Answers:
        for each in await run_in_threadpool(lambda: [write(shown) for shown in function(read())]):
            yield each

    return Call(answers)
