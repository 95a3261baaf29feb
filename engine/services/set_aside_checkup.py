"""What was set aside, and what is under suspicion: dead letters, and messages that processes died with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from engine.broker.opening import open_broker
from engine.config import Settings
from engine.errors import BrokerUnavailable
from engine.services.finding import Finding, sentence
from engine.store import open_store
from engine.store.port import InHand
from engine.wire.dead_letter import read_dead
from engine.wire.message import DEAD_QUEUE

#: Dead letters that are read for their reasons.
_LETTERS = 200

#: Reasons that are shown, and characters of each.
_SHOWN, _LENGTH = 3, 160


def examine_set_aside(settings: Settings) -> Iterator[Finding]:
    """Yield a finding about the dead letters, and one for each message that a process has died with."""
    try:
        yield _dead_letters(settings)
    except BrokerUnavailable as error:
        yield Finding(subject="dead letters", state="fault", what=sentence(error), remedy="Start the doctor again.")
    store = open_store(settings.database_url, pool_size=1)
    try:
        with store.transaction() as transaction:
            lines = transaction.all_in_hand()
    finally:
        store.close()
    yield from _suspects(settings, lines)


def _dead_letters(settings: Settings) -> Finding:
    broker = open_broker(settings.broker_url)
    try:
        count = broker.ready(DEAD_QUEUE) or 0
        letters = [read_dead(each.message) for each in broker.peek(DEAD_QUEUE, _LETTERS)] if count else []
    finally:
        broker.close()
    if not letters:
        return Finding(subject="dead letters", state="ok", what="there are none")
    reasons = Counter(letter.reason for letter in letters).most_common()
    told = [f"{times:,} × {reason[:_LENGTH]}" for reason, times in reasons[:_SHOWN]]
    further = f"; and {len(reasons) - _SHOWN:,} other reasons" if len(reasons) > _SHOWN else ""
    what = f"{max(count, len(letters)):,}: {'; '.join(told)}{further}"
    remedy = "'baton dead list' shows them; mend the cause, then 'baton dead requeue ID' sends one back."
    return Finding(subject="dead letters", state="warning", what=what, remedy=remedy)


def _suspects(settings: Settings, lines: tuple[InHand, ...]) -> Iterator[Finding]:
    """Tell what two processes or more have had in hand and never let go of: one alone may be at work on it."""
    owners = Counter(line.message for line in lines)
    told = {line.message: line for line in lines if owners[line.message] > 1}
    for message, line in told.items():
        deaths = owners[message] - 1
        what = f"{line.label} of queue {line.queue} was in hand when {deaths} process{'es' if deaths > 1 else ''} died"
        remedy = (
            f"Look into the logs of {line.owner} and of those before it. After {settings.crash_limit} deaths "
            "(BATON_CRASH_LIMIT) it is set aside by itself."
        )
        yield Finding(subject="deadly message", state="warning", what=what, remedy=remedy)
