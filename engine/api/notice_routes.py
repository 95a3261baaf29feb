"""Routes under /api/admin/notices: what waits for listeners that are away."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, answer, mapping
from engine.clock import Clock, milliseconds
from engine.errors import NotFound
from engine.masking import masked
from engine.model.payload import Json
from engine.store.notice_port import HeldNotice
from engine.store.port import Store, Transaction
from engine.wire.fields import Fields

#: Characters of an address.
_LONGEST_SINK = 4_096


def notice_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/admin/notices")

    @router.get("")
    def list_notices() -> Response:
        """List what waits: how much for each sink, and the hundred notices that have waited longest."""
        with store.transaction() as tx:
            sinks, (count, oldest) = tx.sinks_waited_for(), tx.held_notices()
        waiting = [{"sink": masked(sink), "waiting": number} for sink, number in sorted(sinks.items())]
        return answer({"totalHits": count, "sinks": waiting, "results": [_shown(each) for each in oldest]})

    @router.post("/send")
    def send(body: RawBody) -> Response:
        """Make everything due that waits for a sink; the next notifier sends it."""
        with store.transaction() as tx:
            meant = _meant(tx, body)
            tx.hurry_notices(meant, clock.now())
            waiting = tx.sinks_waited_for()
        return answer({"sent": sum(waiting[sink] for sink in meant)})

    @router.post("/drop")
    def drop(body: RawBody) -> Response:
        """Forget everything that waits for a sink: nobody will ask for it any more."""
        with store.transaction() as tx:
            return answer({"dropped": tx.drop_notices(_meant(tx, body))})

    return router


def _meant(tx: Transaction, body: bytes) -> list[str]:
    """Return the sinks that are named, as they are written or as they are shown, without their passwords."""
    fields = Fields(mapping(body), "the body")
    named = fields.text("sink", limit=_LONGEST_SINK)
    if named is None:
        fields.fault("sink", "is missing: say for which sink, as the list shows it")
    fields.finish()
    assert named is not None
    found = [sink for sink in tx.sinks_waited_for() if named in (sink, masked(sink))]
    if not found:
        raise NotFound(
            f"No notice waits for {masked(named)!r}: 'baton notice list' shows the sinks that are waited for."
        )
    return found


def _shown(held: HeldNotice) -> dict[str, Json]:
    return {
        "id": held.id,
        "sink": masked(held.sink),
        "topic": held.topic,
        "since": milliseconds(held.held_since),
        "due": milliseconds(held.due_at),
        "attempts": held.attempts,
        "reason": held.reason,
    }
