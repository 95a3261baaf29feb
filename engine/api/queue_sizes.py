"""How many tasks wait in the queues of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from engine.api.requester import Requester
from engine.broker.port import Broker
from engine.model.payload import Json
from engine.store.port import Store

#: Queues that are looked at in one go; between two of them the connection serves others.
_AT_A_TIME = 20

#: What Conductor calls the only part that a queue of ours has.
_SHARD = "a"


def ready(requester: Requester, queues: Sequence[str]) -> dict[str, int]:
    """Return how many messages wait in each queue; 0 for one that is not there."""
    found: dict[str, int] = {}
    for place in range(0, len(queues), _AT_A_TIME):
        found |= requester.with_broker(partial(_count, queues[place : place + _AT_A_TIME]))
    return found


def ready_everywhere(store: Store, requester: Requester) -> dict[str, int]:
    """Return how many tasks wait to be taken from each queue that tasks were ever sent to."""
    with store.transaction() as tx:
        queues = tx.queue_names()
    return ready(requester, queues)


def everywhere_json(store: Store, requester: Requester) -> dict[str, Json]:
    """Return for each queue how many tasks wait, and how many are in progress."""
    with store.transaction() as tx:
        in_progress = {queue: counts.get("IN_PROGRESS", 0) for queue, counts in tx.statistics()["tasks"].items()}
    waiting = ready_everywhere(store, requester)
    return {queue: {_SHARD: {"size": size, "uacked": in_progress.get(queue, 0)}} for queue, size in waiting.items()}


def _count(queues: Sequence[str], broker: Broker) -> dict[str, int]:
    return {queue: broker.ready(queue) or 0 for queue in queues}
