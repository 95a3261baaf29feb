"""Answers to the engine: the results of its tasks go to its own queues, everybody else's to the app's own backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from celery import Celery, states
from celery.backends.rpc import RPCBackend
from kombu.entity import Exchange, Queue
from kombu.exceptions import EncodeError, KombuError
from kombu.utils.json import dumps

from engine.broker import topology
from engine.errors import BadMessage
from engine.identifier import new_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.wire.celery_message import MAX_RESULT_BYTES
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message, events_queue
from engine.wire.request_message import decode_outcome, encode_request
from workers.failure import TerminalError

_log = structlog.get_logger(__name__)

_EVENTS: Final = events_queue(0).removesuffix("0")

#: The methods through which Celery reports on a task; each gets the task's request.
_REPORTS: Final = frozenset({"store_result", "mark_as_started", "mark_as_done", "mark_as_failure", "mark_as_retry"})


def is_engines(request: Any) -> bool:
    """Return whether the engine sent the task that is (or was) run for this request."""
    reply_to = getattr(request, "reply_to", None)
    return isinstance(reply_to, str) and reply_to.startswith(_EVENTS)


class EngineReplies(RPCBackend):  # type: ignore[misc]
    """Celery's rpc backend, made to speak of everything: no answer is lost because it cannot be written down."""

    def __init__(self, app: Celery, max_result_bytes: int = MAX_RESULT_BYTES) -> None:
        super().__init__(app, serializer="json")
        self.max_result_bytes = max_result_bytes

    def store_result(
        self,
        task_id: str,
        result: Json,
        state: str,
        traceback: str | None = None,
        request: Any = None,
        **_: object,
    ) -> Json:
        """Send the state of a task; a SUCCESS that cannot be sent raises ``EncodeError``, which Celery reports."""
        routing_key, correlation_id = self.destination_for(task_id, request)
        meta = self._to_result(task_id, state, result, traceback, request)
        meta["worker"] = getattr(request, "hostname", None)
        meta["asks"] = True
        self.send(routing_key, correlation_id, self.encoded(meta, strict=state == states.SUCCESS))
        return result

    def send(self, routing_key: str, correlation_id: str, body: bytes) -> None:
        """Publish one answer; transient as Celery's own, which the engine's queues store all the same."""
        self.publish(Message(queue=routing_key, body=body, correlation_id=correlation_id, transient=True))

    def publish(self, message: Message) -> None:
        """Publish a message through the app's own connections, with Celery's retry policy.

        One that is not transient must arrive: when no queue takes it, the broker's refusal is raised.
        """
        with self.app.amqp.producer_pool.acquire(block=True) as producer:
            # kombu publishes on Redis to whoever listens, as the engine does, only what goes to a fanout exchange.
            on_redis = producer.connection.transport.driver_type == "redis"
            spread = [Exchange(STATUS_EXCHANGE, type="fanout")] if on_redis and message.exchange else []  # type: ignore[no-untyped-call]
            producer.publish(
                message.body, retry=True, retry_policy=self.retry_policy, declare=spread, **_properties(message)
            )

    def ask(self, question: Request, queue: str, patience_seconds: float) -> Outcome | None:
        """Send a question to one of the engine's queues and return the answer; None when none comes in time.

        Opens a connection of its own: questions are rare, and any thread or forked process may ask.
        """
        reply_to, deadline = topology.REPLY_PREFIX + new_id(), time.monotonic() + patience_seconds
        addressed = msgspec.structs.replace(question, reply_to=reply_to, reply_id=question.event_id)
        message = msgspec.structs.replace(encode_request(addressed, 1), queue=queue)
        answers: list[Outcome] = []
        connection = self.app.connection_for_write(connect_timeout=patience_seconds)
        try:
            mailbox = topology.replies(reply_to)
            with connection, connection.Consumer([_queue(mailbox)], on_message=_into(answers), no_ack=True):
                connection.Producer().publish(message.body, **_properties(message))
                while not answers and (left := deadline - time.monotonic()) > 0:
                    connection.drain_events(timeout=left)
        except (*connection.connection_errors, *connection.channel_errors, KombuError, OSError, BadMessage) as error:
            _log.warning("engine.not_answering", asked=question.verb, reason=str(error) or type(error).__name__)
        return answers[0] if answers else None

    def encoded(self, meta: dict[str, Json], *, strict: bool) -> bytes:
        """Return the answer as JSON; unless ``strict``, what JSON does not know is left to the reader."""
        try:
            text: str = dumps(  # type: ignore[no-untyped-call]
                meta, default_kwargs={"ensure_ascii": not strict, "allow_nan": not strict}
            )
            body = text.encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise EncodeError(f"the task's result cannot be written as JSON: {error!s:.300}") from None
        if strict and len(body) > self.max_result_bytes:
            raise EncodeError(
                f"the task's result has {len(body):,} bytes, the limit is {self.max_result_bytes:,}: "
                "return a reference to the data instead of the data"
            )
        return body

    def prepare_exception(self, exc: BaseException, serializer: str | None = None) -> Json:
        """Describe an exception; kinds of ``TerminalError`` are sent as what they are a kind of."""
        described = super().prepare_exception(exc, serializer)
        if isinstance(exc, TerminalError):
            described["exc_type"] = "TerminalError"
        return described


class AnswerBackend:
    """What a task takes for its result backend: the engine's replies for its tasks, the app's own for all others."""

    def __init__(self, own: Callable[[], Any], replies: EngineReplies) -> None:
        self._own = own
        self._replies = replies

    def publish(self, message: Message) -> None:
        """Publish a message on the connection that also carries the engine's replies."""
        self._replies.publish(message)

    def ask(self, question: Request, queue: str, patience_seconds: float) -> Outcome | None:
        """Ask the engine; see ``EngineReplies.ask``."""
        return self._replies.ask(question, queue, patience_seconds)

    def __getattr__(self, name: str) -> Any:
        if name not in _REPORTS and name != "mark_as_revoked":
            return getattr(self._own(), name)

        def report(*args: Any, **options: Any) -> Any:
            request = options.get("request")
            if request is None and name == "mark_as_done" and len(args) > 2:
                request = args[2]
            return getattr(self._replies if is_engines(request) else self._own(), name)(*args, **options)

        # Kept, so that the next call finds it without coming here.
        self.__dict__[name] = report
        return report


def _properties(message: Message) -> dict[str, Any]:
    """Return how kombu is to publish a message."""
    return {
        "exchange": message.exchange,
        "routing_key": message.queue,
        "headers": dict(message.headers),
        "message_id": message.message_id,
        "correlation_id": message.correlation_id,
        "reply_to": message.reply_to,
        "priority": message.priority or None,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "delivery_mode": 1 if message.transient else 2,
        "mandatory": not message.transient and not message.exchange,
    }


def _queue(declared: topology.Queue) -> Queue:
    return Queue(  # type: ignore[no-untyped-call]
        declared.name,
        durable=declared.durable,
        exclusive=declared.exclusive,
        auto_delete=declared.auto_delete,
        queue_arguments=dict(declared.arguments),
    )


def _into(answers: list[Outcome]) -> Callable[[Any], None]:
    """Return what reads an answer as it arrives."""

    def hear(received: Any) -> None:
        message = Message(
            queue="", body=bytes(received.body, "utf-8") if isinstance(received.body, str) else received.body
        )
        answers.append(decode_outcome(Delivery(message=message, queue="")))

    return hear
