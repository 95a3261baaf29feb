"""A pika connection driven by a thread of its own, so that heartbeats go on while its owner computes."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import pika
import structlog
from pika import frame, spec
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from engine.broker.amqp_encoding import ack_frame
from engine.broker.short_way import Confirmed, ShortWay, Taker
from engine.errors import BrokerUnavailable
from engine.model.payload import Json

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Bytes of what has arrived that are read at a time.
_READ_SIZE = 65_536

#: Seconds to wait for the broker's farewell before the connection is dropped without it.
_CLOSE_SECONDS = 5.0


class ChannelClosed(Exception):
    """The broker closed a channel; ``code`` is AMQP's (404 not found, 406 precondition failed …)."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{text} ({code})")


class RawProperties:
    """A delivered message's properties, left as they came: its reader decodes them outside the I/O thread."""

    INDEX = spec.BasicProperties.INDEX

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


class _Connection(pika.SelectConnection):  # type: ignore[misc]
    """pika's connection with short cuts on the hot path."""

    def __init__(self, parameters: pika.connection.Parameters, **callbacks: Callable[..., None]) -> None:
        self.short_way = ShortWay()
        self._is_plain = parameters.ssl_options is None
        super().__init__(parameters, **callbacks)

    def _proto_connection_made(self, transport: Json) -> None:
        if self._is_plain:
            # One large read whenever there is something, in the place of small ones until the system has no more.
            transport._MAX_RECV_BYTES, transport._MAX_CONSUME_BYTES = _READ_SIZE, 1
        super()._proto_connection_made(transport)

    def _on_data_available(self, data_in: bytes) -> None:
        """Take what there is a short way for, and leave to pika what stands between."""
        self._frame_buffer += data_in
        while self._frame_buffer:
            taken = self.short_way.take(self._frame_buffer)
            if taken:
                self._trim_frame_buffer(taken)
                continue
            length, value = self._read_frame()
            if not value:
                return
            self._trim_frame_buffer(length)
            self._process_frame(value)

    def _read_frame(self) -> Json:
        """Take a content header without decoding its properties, which pika may refuse."""
        data: bytes = self._frame_buffer
        if len(data) < spec.FRAME_HEADER_SIZE or data[0] != spec.FRAME_HEADER:
            return super()._read_frame()
        _, channel, size = struct.unpack_from(">BHI", data)
        end = spec.FRAME_HEADER_SIZE + size
        if len(data) <= end:
            return 0, None
        (body_size,) = struct.unpack_from(">Q", data, spec.FRAME_HEADER_SIZE + 4)
        properties = RawProperties(data[spec.FRAME_HEADER_SIZE + 12 : end])
        return end + 1, frame.Header(channel, body_size, properties)

    def write(self, pieces: Sequence[bytes]) -> None:
        """Write frames that are encoded already: at once, as far as the system takes them."""
        for piece in pieces:
            sent = self._send(piece)
            self.bytes_sent += sent
            if sent < len(piece):
                self._output_marshaled_frames([piece[sent:]])

    def _send(self, piece: bytes) -> int:
        """Return how many bytes of a piece were sent; what is wrong with the socket its transport finds out itself.

        pika would have the loop tell it first that there is room, with four system calls more.
        """
        transport = self._transport
        if not self._is_plain or transport is None or transport.get_write_buffer_size():
            return 0
        try:
            return int(transport._sock.send(piece))
        except (OSError, AttributeError):
            return 0

    @property
    def frame_size(self) -> int:
        """The largest frame that the broker accepts, in bytes."""
        return int(self._body_max_length + spec.FRAME_HEADER_SIZE + spec.FRAME_END_SIZE)


class AmqpConnection:
    """One connection; its methods may be called from any thread but its own.

    ``on_lost`` is called in the connection's thread when it ends for any reason.
    """

    def __init__(self, parameters: pika.connection.Parameters, on_lost: Callable[[], None]) -> None:
        """Open the connection; raise ``BrokerUnavailable`` when that fails."""
        self.lost: str | None = None
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._opened: Future[None] = Future()
        self._waiting: set[Future[Json]] = {self._opened}
        self._address = f"{parameters.host}:{parameters.port}"
        self._pika = _Connection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=lambda _, error: self.end(f"cannot be reached: {_explain(error)}"),
            on_close_callback=lambda _, error: self.end(f"closed the connection: {_explain(error)}"),
        )
        self._thread = threading.Thread(target=self._drive, name="baton-amqp", daemon=True)
        self._thread.start()
        self._opened.result()

    @property
    def frame_size(self) -> int:
        """The largest frame that the broker accepts, in bytes."""
        return int(self._pika.frame_size)

    def run(self, start: Callable[[Future[T]], None]) -> T:
        """Call ``start`` in the connection's thread and wait until the future it was given is done."""
        future: Future[T] = Future()

        def begin() -> None:
            try:
                start(future)
            except Exception as error:
                if not future.done():
                    future.set_exception(BrokerUnavailable(f"RabbitMQ at {self._address}: {_explain(error)}"))

        self.post(begin, future)
        return future.result()

    def post(self, action: Callable[[], None], future: Future[Json] | None = None) -> None:
        """Have ``action`` called in the connection's thread; ``future`` fails if the connection is lost meanwhile."""
        with self._lock:
            self.check()
            if future is not None:
                self._waiting.add(future)
                future.add_done_callback(self._waiting.discard)
            self._pika.ioloop.add_callback_threadsafe(action)

    def check(self) -> None:
        """Raise ``BrokerUnavailable`` when the connection is lost."""
        if self.lost is not None:
            raise BrokerUnavailable(self.lost)

    def write(self, pieces: Sequence[bytes]) -> None:
        """Write encoded frames; only in the connection's thread."""
        self._pika.write(pieces)

    @property
    def short_way(self) -> ShortWay:
        """What need not go through pika; only in the connection's thread."""
        return self._pika.short_way

    def open_channel(self, on_open: Callable[[Channel], None]) -> None:
        """Begin to open a channel; only in the connection's thread."""
        self._pika.channel(on_open_callback=on_open)

    def close(self) -> None:
        """Say goodbye, so that unacked deliveries are back in their queues when this returns."""
        try:
            self.post(self._pika.close)
            self._thread.join(_CLOSE_SECONDS)
            # Still open only when the broker does not answer, as while it is blocked.
            self.post(lambda: self.end("did not answer the farewell"))
        except BrokerUnavailable:
            return

    def end(self, what: str) -> None:
        """Count the connection as lost: every waiting call fails with ``BrokerUnavailable``."""
        with self._lock:
            if self.lost is not None:
                return
            self.lost = f"RabbitMQ at {self._address} {what}"
            waiting = tuple(self._waiting)
        error = BrokerUnavailable(self.lost)
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        self._on_lost()
        self._pika.ioloop.stop()

    def _drive(self) -> None:
        try:
            self._pika.ioloop.start()
        except Exception as error:
            log.exception("broker.connection_failed")
            self.end(f"lost the connection: {_explain(error)}")
        finally:
            self.end("lost the connection")
            self._pika.ioloop.close()

    def _on_open(self, connection: pika.SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(
            lambda _, method: log.warning("broker.blocked", reason=method.method.reason)
        )
        connection.add_on_connection_unblocked_callback(lambda *_: log.info("broker.unblocked"))
        self._opened.set_result(None)


class AmqpChannel:
    """A channel whose questions are waited for.

    Questions fail with ``ChannelClosed`` when the broker answers by closing the channel; ``on_closed`` is then called
    in the connection's thread.
    """

    def __init__(self, connection: AmqpConnection, on_closed: Callable[[ChannelClosed], None] | None = None) -> None:
        self.connection = connection
        self.closed: ChannelClosed | None = None
        self._on_closed = on_closed
        self._asked: set[Future[Json]] = set()
        self._closing: Future[None] | None = None
        self.pika: Channel = connection.run(self._begin)
        self.number: int = self.pika.channel_number

    def ask(self, question: Callable[[Channel, Callable[[Json], None]], Json]) -> Json:
        """Call ``question(channel, answer)`` in the connection's thread; return what ``answer`` is called with."""

        def start(future: Future[Json]) -> None:
            self.expect(future)
            if self.closed is None:
                question(self.pika, future.set_result)

        return self.connection.run(start)

    def expect(self, future: Future[Json]) -> None:
        """Fail ``future`` when the channel is closed; only in the connection's thread."""
        if self.closed is not None:
            future.set_exception(self.closed)
            return
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)

    def take(self, taker: Taker) -> None:
        """Have what is delivered here taken the short way, as far as it can be."""
        self.connection.post(lambda: self._shorten(self.connection.short_way.takers, taker))

    def confirm(self, confirmed: Confirmed) -> None:
        """Have confirms told the short way."""
        self.connection.post(lambda: self._shorten(self.connection.short_way.confirmed, confirmed))

    def _shorten(self, table: dict[int, T], who: T) -> None:
        if self.closed is None:
            table[self.number] = who

    def acknowledge(self, upto: int, single: Sequence[int], *, requeue: bool = False) -> None:
        """Ack (or put back, with ``requeue``) every delivery up to tag ``upto`` (0 for none) and each of ``single``."""

        def settle() -> None:
            if self.closed is not None:
                return
            tags = [(upto, True)] * bool(upto) + [(tag, False) for tag in single]
            if requeue:
                for tag, multiple in tags:
                    self.pika.basic_nack(tag, multiple=multiple, requeue=True)
            elif self.pika.is_open:
                self.connection.write([b"".join(ack_frame(self.number, tag, multiple) for tag, multiple in tags)])

        self.connection.post(settle)

    def close(self) -> None:
        """Close the channel; what it holds unacked goes back to its queues before this returns."""
        if self.closed is None:
            self.connection.run(self._finish)

    def _begin(self, future: Future[Channel]) -> None:
        def opened(channel: Channel) -> None:
            channel.add_on_close_callback(self._end)
            future.set_result(channel)

        self.connection.open_channel(opened)

    def _finish(self, future: Future[None]) -> None:
        if self.closed is not None:
            future.set_result(None)
            return
        self._closing = future
        self.pika.close()

    def _end(self, channel: Channel, reason: Exception) -> None:
        self.connection.short_way.forget(channel.channel_number)
        self.closed = ChannelClosed(getattr(reason, "reply_code", 0), getattr(reason, "reply_text", str(reason)))
        if self._closing is not None:
            self._closing.set_result(None)
        if not isinstance(reason, ChannelClosedByBroker):
            # Ours, or the whole connection's: that fails what waits with a BrokerUnavailable.
            return
        for future in tuple(self._asked):
            future.set_exception(self.closed)
        if self._on_closed is not None:
            self._on_closed(self.closed)


def _explain(error: BaseException) -> str:
    """Return the innermost cause in words: pika wraps a refused connection several times."""
    while True:
        inner = getattr(error, "exception", None) or getattr(error, "exceptions", None)
        if isinstance(inner, (list, tuple)):
            inner = inner[-1] if inner else None
        if not isinstance(inner, BaseException):
            return str(error) or type(error).__name__
        error = inner
