"""Live streams as Server-Sent Events: one run as it goes on, and how many runs stand how."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from engine.api import count_stream, run_stream
from engine.api.body import done
from engine.api.count_stream import Counting
from engine.api.event_stream import EventStream
from engine.api.news import News
from engine.api.run_stream import RunStory
from engine.errors import NotFound
from engine.store.port import Store


def stream_routes(store: Store, reading: Store, news: News) -> APIRouter:
    """Return the routes; runs are counted in ``reading``."""
    router = APIRouter(tags=["live"])
    counting = Counting(reading, news)

    @router.get("/api/workflow/{workflow_id}/stream")
    async def follow(
        workflow_id: str,
        header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
        query: Annotated[str | None, Query(alias="lastEventId")] = None,
    ) -> Response:
        """Tell how a run stands, and then what changes, until it has ended; 204 where all of that was told before."""
        story, last_told = RunStory(store, workflow_id), header or query
        with ExitStack() as held:
            watch = held.enter_context(news.watch(workflow_id))
            first = await news.reading(story.look)
            if first is None:
                raise NotFound(f"No workflow has the id {workflow_id!r}.")
            if first.workflow.status.is_terminal and last_told == str(first.workflow.version_no):
                return done(204)
            return EventStream(run_stream.told(story, news, watch, first, last_told), held.pop_all())

    @router.get("/api/stream")
    async def counts(workflow_types: Annotated[list[str] | None, Query(alias="workflowType")] = None) -> Response:
        """Tell how many runs have each status, and again whenever that has changed; of all workflows or of some."""
        named = [name for each in workflow_types or () for name in each.split(",") if name]
        names = frozenset(named) if workflow_types else None
        with ExitStack() as held:
            watch = held.enter_context(news.watch_statuses(names))
            held.callback(counting.forget, names)
            first = await counting.count(names)
            return EventStream(count_stream.told(counting, watch, names, first), held.pop_all())

    return router
