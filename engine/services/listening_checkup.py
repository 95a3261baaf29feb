"""Who listens: event handlers without a listener, notices without a notifier, and what has piled up for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from engine.broker.opening import open_broker
from engine.clock import SECOND, Instant, SystemClock
from engine.config import Settings
from engine.errors import BrokerUnavailable
from engine.masking import masked
from engine.services.finding import Finding, sentence
from engine.store import open_store
from engine.store.notice_port import HeldNotice
from engine.store.presence import processes
from engine.wire.message import NOTICES_QUEUE, SINK_QUEUE

#: Messages that wait although somebody takes them; more than this is a backlog rather than a moment.
_BACKLOG: Final = 1_000

#: Characters of a reason.
_LENGTH: Final = 160


def examine_listening(settings: Settings) -> Iterator[Finding]:
    """Yield a finding about events, and one about notices."""
    now = SystemClock().now()
    kinds = {each.kind for each in processes(settings.database_url, now)}
    store = open_store(settings.database_url, pool_size=1)
    try:
        with store.transaction() as tx:
            handlers = sum(each.active for each in tx.event_handlers())
            held, oldest = tx.held_notices()
    finally:
        store.close()
    broker = open_broker(settings.broker_url)
    try:
        events, notices = broker.ready(SINK_QUEUE) or 0, broker.ready(NOTICES_QUEUE) or 0
    except BrokerUnavailable as error:
        yield Finding(subject="events", state="fault", what=sentence(error), remedy="Start the doctor again.")
        return
    finally:
        broker.close()
    yield _events(kinds, handlers, events)
    yield _notices(kinds, notices, held, oldest, now)


def _events(kinds: Collection[str], handlers: int, waiting: int) -> Finding:
    what = f"{handlers:,} event handler{'' if handlers == 1 else 's'} active, {waiting:,} in {SINK_QUEUE}"
    if "listener" not in kinds and (handlers or waiting):
        return Finding(
            subject="events",
            state="warning",
            what=f"{what}, and nobody listens",
            remedy="Start 'baton listener': without one no event handler does anything.",
        )
    if waiting > _BACKLOG:
        remedy = "Start another 'baton listener', or look into its log."
        return Finding(subject="events", state="warning", what=what, remedy=remedy)
    return Finding(subject="events", state="ok", what=what)


def _notices(kinds: Collection[str], waiting: int, held: int, oldest: tuple[HeldNotice, ...], now: Instant) -> Finding:
    what = f"{waiting:,} in {NOTICES_QUEUE}, {held:,} held for sinks that have not taken them"
    if "notifier" not in kinds and (waiting or held):
        return Finding(
            subject="notices",
            state="warning",
            what=f"{what}, and nobody delivers",
            remedy="Start 'baton notifier': without one no listener is told anything.",
        )
    if oldest:
        first = oldest[0]
        minutes = max(0, now - first.held_since) // (60 * SECOND)
        what += f", the first for {minutes:,} min: {masked(first.sink)}: {first.reason[:_LENGTH]}"
        remedy = "'baton notice list' shows them; mend the sink, or 'baton notice drop SINK' what it will never take."
        return Finding(subject="notices", state="warning", what=what, remedy=remedy)
    if waiting > _BACKLOG:
        remedy = "Start another 'baton notifier', or look into its log."
        return Finding(subject="notices", state="warning", what=what, remedy=remedy)
    return Finding(subject="notices", state="ok", what=what)
