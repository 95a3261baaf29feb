"""Answers to the engine: the results of its tasks go to its own queues, everybody else's to the app's own backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery import Celery, states
from celery.backends.rpc import RPCBackend
from kombu.exceptions import EncodeError
from kombu.utils.json import dumps

from engine.model.payload import Json
from engine.wire.celery_message import MAX_RESULT_BYTES
from engine.wire.message import Message, events_queue
from workers.failure import TerminalError

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
            producer.publish(
                message.body,
                exchange=message.exchange,
                routing_key=message.queue,
                headers=dict(message.headers),
                message_id=message.message_id,
                correlation_id=message.correlation_id,
                priority=message.priority or None,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                retry=True,
                retry_policy=self.retry_policy,
                delivery_mode=1 if message.transient else 2,
                mandatory=not message.transient and not message.exchange,
            )

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
