"""Whatever the OpenAPI document lets a client send gets an answer that the document knows, and never a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
import schemathesis
import structlog
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine import log
from engine.api.app import create_app
from engine.api.openapi import examples
from engine.api.openapi.document import SHAPES
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import SystemClock
from engine.config import Settings
from engine.decider.validate import check_task, check_workflow
from engine.polling.distributor import Distributor
from engine.services.decider import RoadService
from engine.services.opening import partitions_of
from engine.services.server import listen, url_of
from engine.services.stopping import Stop
from engine.testing.memory_store import MemoryStore

#: Calls of each operation.
_CALLS: Final = 6

#: What waits by nature, or begins a process: tests of their own try it.
_SLOW: Final = ("/stream", "/execute/", "/sync", "/workflow/test")

_CHECKS: Final = (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

#: What parameters of a path must be to lead somewhere.
_KNOWN: Final = {
    "name": "thumbnails",
    "task_type": "resize_image",
    "ref": "approve",
    "version": 1,
    "status": "COMPLETED",
    "correlation_id": "order-17",
    "letter": "1",
}


@pytest.fixture(scope="module")
def server(unused_port: int) -> Iterator[str]:
    """Run a whole engine on memory, and return its address."""
    log.configure("critical", "text")
    store, hub, stop = MemoryStore(), MemoryBroker(), Stop()
    configured = Settings(partitions=2, http_port=unused_port)
    with store.transaction() as tx:
        tx.register_tasks([check_task(dict(examples.TASK_DEF))])
        tx.register_workflow(check_workflow(examples.WORKFLOW_DEF), overwrite=True)
    partitions = partitions_of(store, configured)
    road = RoadService(store, hub.connect(), configured, stop, clock=SystemClock(), starter=False)
    decider = threading.Thread(target=road.run)
    distributor = Distributor(hub.connect, partitions)
    app = create_app(store, Requester(hub.connect, partitions), settings=configured, distributor=distributor)
    listener = listen(configured)
    # Whoever connects before the server has begun is served when it has.
    listener.listen()
    web = uvicorn.Server(uvicorn.Config(app, log_config=None))
    serving = threading.Thread(target=web.run, kwargs={"sockets": [listener]})
    decider.start()
    serving.start()
    yield url_of(configured)
    web.should_exit = True
    stop.now()
    serving.join()
    decider.join()
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def operations(url: str) -> list[Any]:
    """Return every operation that answers by itself; those that delete come last."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found = [each.ok() for each in schema.get_all_operations()]
    quick = [each for each in found if not any(part in each.path for part in _SLOW)]
    return sorted(quick, key=lambda each: each.method.upper() == "DELETE")


def test_every_call_gets_an_answer_that_the_document_knows(server: str) -> None:
    session = requests.Session()
    run = session.post(f"{server}/api/workflow", json=examples.START, timeout=30).text
    known = {**_KNOWN, "workflow_id": run, "task_id": f"{run}.1"}
    for operation in operations(server):

        @settings(
            max_examples=_CALLS, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(), leads_somewhere=st.booleans())
        def call(case: Any, leads_somewhere: bool) -> None:
            if leads_somewhere and case.path_parameters:
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            if case.query and "timeout" in case.query:
                case.query["timeout"] = 1
            response = case.call(session=session, timeout=30)
            assert response.status_code not in (500, 503), f"{case.method} {case.formatted_path}: {response.text}"
            case.validate_response(response, checks=_CHECKS)

        call()


def test_every_operation_says_what_it_is_for_and_what_it_takes_and_gives(server: str) -> None:
    paths = requests.get(f"{server}/openapi.json", timeout=30).json()["paths"]
    found = {f"{method.upper()} {path}": each for path, methods in paths.items() for method, each in methods.items()}

    assert sorted(found.keys() - SHAPES.keys()) == []
    assert [name for name, each in found.items() if not each.get("description")] == []
