"""Every call there is, put together from what the routes of the REST API are made of too."""

from __future__ import annotations

import asyncio

from engine.api.grpc.definition_calls import Definitions, Handlers
from engine.api.grpc.door import Calls
from engine.api.grpc.health import Health
from engine.api.grpc.poll_calls import Polls
from engine.api.grpc.task_calls import Tasks
from engine.api.grpc.workflow_calls import Workflows
from engine.api.requester import Requester
from engine.api.searches import Searches
from engine.clock import Clock
from engine.polling.distributor import Distributor
from engine.polling.poll_book import PollBook
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store


def every_call(
    store: Store,
    reading: Store,
    requester: Requester,
    distributor: Distributor,
    book: PollBook,
    clock: Clock,
    payloads: PayloadStorage | None,
    leaving: asyncio.Event,
) -> Calls:
    """Return the calls by service and method; searches look into ``reading``, ``leaving`` ends what would not end."""
    searches = Searches(reading)
    tasks = Tasks(store, requester, searches, clock, payloads)
    return {
        "conductor.grpc.tasks.TaskService": {**Polls(distributor, book).calls(), **tasks.calls()},
        "conductor.grpc.workflows.WorkflowService": Workflows(store, requester, searches, payloads).calls(),
        "conductor.grpc.metadata.MetadataService": Definitions(store, clock).calls(),
        "conductor.grpc.events.EventService": Handlers(store).calls(),
        "grpc.health.v1.Health": Health(store, requester, leaving).calls(),
    }
