"""The gRPC door on the in-memory store and broker, and a client that knows nothing of our own conversions.

Whatever needs the extra is imported late: the tests are skipped where it is not installed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.clock import SystemClock
from engine.polling.poll_book import PollBook
from tests.unit.polling.conftest import Site, opened

TASKS = "conductor.grpc.tasks.TaskService"
RUNS = "conductor.grpc.workflows.WorkflowService"
DEFINITIONS = "conductor.grpc.metadata.MetadataService"
EVENTS = "conductor.grpc.events.EventService"


class GrpcSite(Site):
    """A site with a gRPC door, and a channel to it."""

    most = 100

    def certificate(self) -> Any:
        """Return what the door proves with who it is: nothing, unless a test says otherwise."""
        return None

    def serve(self, requester: Requester) -> FastAPI:
        from engine.api.grpc.calls import every_call
        from engine.api.grpc.door import GrpcDoor

        book = PollBook(self.store)
        leaving = asyncio.Event()
        calls = every_call(self.store, self.store, requester, self.distributor, book, SystemClock(), None, leaving)
        self.door = GrpcDoor(
            calls, "127.0.0.1:0", most=self.most, drain_seconds=5.0, leaving=leaving, certificate=self.certificate()
        )
        return create_app(self.store, requester, distributor=self.distributor, book=book, beside=[self.door])

    def connect(self) -> Any:
        import grpc

        return grpc.insecure_channel(f"127.0.0.1:{self.door.port}")

    def ask(self, service: str, method: str, /, **fields: Any) -> Any:
        """Call a method and return its answer as JSON by protobuf's own rules; of a stream, the list of them."""
        call = self.begin(service, method, **fields)
        if method_of(service, method).server_streaming:
            return [shown(each) for each in call]
        return shown(call.result())

    def begin(self, service: str, method: str, /, **fields: Any) -> Any:
        """Begin a call and return it: it can be cancelled, and waited for."""
        from google.protobuf.json_format import ParseDict

        return self.send(service, method, ParseDict(fields, request_of(service, method)).SerializeToString())

    def send(self, service: str, method: str, request: bytes) -> Any:
        """Begin a call with whatever bytes."""
        from engine.api.grpc.messages import message_class

        kind = method_of(service, method)
        path, answer = f"/{service}/{method}", message_class(kind.output_type.full_name)
        if kind.server_streaming:
            return self.channel.unary_stream(path, None, answer.FromString)(request, timeout=30)
        return self.channel.unary_unary(path, None, answer.FromString).future(request, timeout=30)

    def refusal(self, service: str, method: str, /, **fields: Any) -> tuple[str, str]:
        """Call a method that refuses, and return the status code's name and the sentence."""
        return self.refused(lambda: self.ask(service, method, **fields))

    def refused(self, call: Callable[[], Any]) -> tuple[str, str]:
        import grpc

        with pytest.raises(grpc.RpcError) as refused:
            call()
        return refused.value.code().name, refused.value.details()

    def started(self, **fields: Any) -> str:
        """Start a run over gRPC and return its id."""
        return str(self.ask(RUNS, "StartWorkflow", name=self.workflow, **fields)["workflowId"])

    def polled(self, **fields: Any) -> Any:
        """Take tasks of the last kind in one batch."""
        return self.ask(TASKS, "BatchPoll", taskType=self.kind, workerId="w1", **fields)


def method_of(service: str, method: str) -> Any:
    from engine.api.grpc.messages import services

    return next(each for each in services() if each.full_name == service).methods_by_name[method]


def request_of(service: str, method: str) -> Any:
    from engine.api.grpc.messages import message_class

    return message_class(method_of(service, method).input_type.full_name)()


def shown(message: Any) -> Any:
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message)


@pytest.fixture(scope="module")
def shared_door() -> Iterator[GrpcSite]:
    with opened(GrpcSite()) as site, site.connect() as site.channel:
        yield site


@pytest.fixture
def door(shared_door: GrpcSite) -> GrpcSite:
    """Return a site with a kind of task that no other test has."""
    shared_door.define()
    return shared_door


@pytest.fixture
def own_door() -> Iterator[GrpcSite]:
    """Return a site in which a test may break things."""
    with opened(GrpcSite()) as site, site.connect() as site.channel:
        yield site
