"""The server of the gRPC door: it listens beside the HTTP server, in the same event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from msgspec import Struct

from engine.api import asker
from engine.api.grpc.call import Call, Read, Write
from engine.api.grpc.conversion import from_message, to_message
from engine.api.grpc.messages import parse, pool, services
from engine.api.grpc.status import CRASHED, code_of, details_of
from engine.api.news import Full
from engine.errors import BatonError
from engine.log import get_logger
from engine.model.payload import JsonObject
from engine.wire.fields import MESSAGE_LIMIT

_log = get_logger(__name__)

#: The calls of every service, by its full name and the method's name.
Calls = Mapping[str, Mapping[str, Call]]

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    # Two servers on one port would share its clients out without anybody's knowledge.
    ("grpc.so_reuseport", 0),
    # Clients may ask every few seconds whether a quiet connection still stands; by default that ends it.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class Certificate(Struct, frozen=True):
    """What the server proves with who it is: a chain of certificates and its private key, as PEM."""

    chain: bytes
    key: bytes


class GrpcDoor:
    """Serves for as long as it is entered; answers RESOURCE_EXHAUSTED above ``most`` calls, those that wait aside.

    ``address`` is host and port; with a certificate they are reached by TLS. At the end ``leaving`` is set, and calls
    that have begun may take ``drain_seconds``.
    """

    def __init__(
        self,
        calls: Calls,
        address: str,
        *,
        most: int,
        drain_seconds: float,
        leaving: asyncio.Event,
        certificate: Certificate | None = None,
    ) -> None:
        self._calls = calls
        self._address = address
        self._certificate = certificate
        self._ends = leaving
        self._most = most
        self._drain_seconds = drain_seconds
        self._inside = 0
        self._server: grpc.aio.Server | None = None
        self._leaving: asyncio.Future[None] | None = None
        #: The port that is listened on, once it is.
        self.port = 0

    async def __aenter__(self) -> GrpcDoor:
        """Begin to serve; the event loop must be the one that goes on to run."""
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    service.full_name,
                    {method.name: self._handler(method) for method in service.methods},
                )
                for service in services()
            ]
        )
        _reflect(self._server)
        self.port = self._listen(self._server)
        await self._server.start()
        _log.info("grpc.listening", address=self._address, tls=self._certificate is not None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more calls, and finish those that have begun."""
        self.leave()
        if self._leaving is not None:
            await self._leaving

    def leave(self) -> None:
        """Begin to take no more calls; to be called in the event loop."""
        self._ends.set()
        if self._leaving is None and self._server is not None:
            self._leaving = asyncio.ensure_future(self._server.stop(self._drain_seconds))

    def _listen(self, server: grpc.aio.Server) -> int:
        if self._certificate is None:
            return server.add_insecure_port(self._address)
        pair = (self._certificate.key, self._certificate.chain)
        return server.add_secure_port(self._address, grpc.ssl_server_credentials([pair]))

    def _handler(self, method: MethodDescriptor) -> Any:
        assert not method.client_streaming
        call = self._calls[method.containing_service.full_name][method.name]

        async def stream(content: bytes, context: Any) -> None:
            await self._answer(method, call, content, context, context.write)

        async def unary(content: bytes, context: Any) -> bytes:
            sent: list[bytes] = []

            async def keep(answer: bytes) -> None:
                sent.append(answer)

            await self._answer(method, call, content, context, keep)
            return sent[0]

        # Without functions that read and write messages the bytes come as they are, and what is wrong with them is
        # told as all errors are.
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)

    async def _answer(
        self,
        method: MethodDescriptor,
        call: Call,
        content: bytes,
        context: Any,
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Send what a call answers, or end it with the status that tells what is wrong."""

        def read() -> JsonObject:
            return from_message(parse(method.input_type, content))

        def write(answer: JsonObject) -> bytes:
            return bytes(to_message(method.output_type, answer).SerializeToString())

        try:
            asker.note({name: value for name, value in context.invocation_metadata() if isinstance(value, str)})
            await self._carry_out(call, read, write, send)
        except BatonError as error:
            code, details = code_of(error), details_of(error)
            if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE):
                _log.warning("call.failed", method=method.full_name, reason=str(error))
        except Exception as error:
            code, details = grpc.StatusCode.INTERNAL, CRASHED
            _log.error("call.crashed", method=method.full_name, exc_info=error)
        else:
            return
        await context.abort(code, details)

    async def _carry_out(self, call: Call, read: Read, write: Write, send: Callable[[bytes], Awaitable[None]]) -> None:
        counts = not call.waits
        if counts and self._inside >= self._most:
            raise Full(f"{self._most:,} calls are under way: come again in a moment.")
        self._inside += counts
        try:
            async with aclosing(call.answers(read, write)) as answers:
                async for answer in answers:
                    await send(answer)
        finally:
            self._inside -= counts


def _reflect(server: grpc.aio.Server) -> None:
    """Have the server tell what it serves, for grpcurl and the like, where grpcio-reflection is installed."""
    if find_spec("grpc_reflection") is not None:
        from grpc_reflection.v1alpha.reflection import enable_server_reflection

        enable_server_reflection([service.full_name for service in services()], server, pool())
