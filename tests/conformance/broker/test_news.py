"""News of runs reaches those that watch them over every broker, also after the connection was lost."""

from __future__ import annotations

import asyncio

from engine.api.news import News, Watch
from engine.broker.port import Broker
from engine.wire.news import Changed, encode_news

from .conftest import Site
from .deliveries import OpenBroker

#: Seconds that something sure to come is waited for.
_PATIENCE = 30.0


def test_who_watches_a_run_hears_of_it_and_of_a_gap_where_news_may_have_been_lost(
    open_broker: OpenBroker, site: Site
) -> None:
    publisher = open_broker()
    news = News(open_broker, back_off_seconds=0.05)

    async def story() -> None:
        news.start()
        with news.watch("mine") as watch:
            # Connected: what happened before may have been missed.
            await gap(watch)
            tell(publisher, 1)
            assert await heard(watch) == [1]
            await asyncio.to_thread(site.break_connections)
            await gap(watch)
            await asyncio.to_thread(publisher.reconnect)
            tell(publisher, 2)
            assert await heard(watch) == [2]
        await asyncio.to_thread(news.close)

    asyncio.run(story())


def tell(publisher: Broker, version: int) -> None:
    publisher.publish([encode_news([Changed(run, "w", version, "RUNNING", False) for run in ("mine", "another")])])


async def heard(watch: Watch) -> list[int]:
    assert await watch.stirs(_PATIENCE)
    missed, changed = watch.take()
    assert not missed
    return [each.version for each in changed]


async def gap(watch: Watch) -> None:
    while True:
        assert await watch.stirs(_PATIENCE)
        missed, _ = watch.take()
        if missed:
            return
