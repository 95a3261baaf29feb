"""Routes under /api/admin/dead: messages that could not be understood, and their way back."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import answer
from engine.api.requester import Requester
from engine.broker.dead_letter import letter_id
from engine.broker.port import Broker
from engine.errors import BadMessage, NotFound
from engine.model.payload import Json
from engine.wire.dead_letter import dead_json, read_dead, revive
from engine.wire.message import DEAD_QUEUE, Message

#: Dead letters looked at in one go; whoever has more has a fault to mend rather than a list to read.
LOOK_LIMIT = 1000

#: Characters of a body shown in the list, and of a single letter.
_PREVIEW = 200
_WHOLE = 1_000_000


def dead_routes(requester: Requester) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/admin/dead")

    @router.get("")
    def list_letters() -> Response:
        """List dead letters: messages that could not be understood."""
        letters, total = requester.with_broker(_look)
        shown = [dead_json(letter_id(each), read_dead(each), body_limit=_PREVIEW) for each in letters]
        return answer({"totalHits": total, "results": shown})

    @router.get("/{letter}")
    def show(letter: str) -> Response:
        """Show a dead letter whole."""
        letters, _ = requester.with_broker(_look)
        for each in letters:
            if letter_id(each) == letter:
                return answer(dead_json(letter, read_dead(each), body_limit=_WHOLE))
        raise _unknown(letter)

    @router.post("/{letter}/requeue")
    def requeue(letter: str) -> Response:
        """Send a dead letter back to where it came from."""
        return answer(requester.with_broker(lambda broker: _requeue(broker, letter)))

    return router


def _look(broker: Broker) -> tuple[list[Message], int]:
    letters = [delivery.message for delivery in broker.peek(DEAD_QUEUE, LOOK_LIMIT)]
    return letters, broker.ready(DEAD_QUEUE) or 0 if len(letters) == LOOK_LIMIT else len(letters)


def _requeue(broker: Broker, letter: str) -> dict[str, Json]:
    """Send a letter back to where it came from; it leaves the dead letters only when it has arrived there."""
    delivery = broker.take(DEAD_QUEUE, letter)
    if delivery is None:
        raise _unknown(letter)
    try:
        message = revive(delivery.message)
    except BadMessage:
        broker.reject([delivery])
        raise
    broker.publish([message])
    broker.ack([delivery])
    return {"id": letter, "queue": message.queue}


def _unknown(letter: str) -> NotFound:
    return NotFound(f"No dead letter has the id {letter!r}: 'baton dead list' shows those there are.")
