"""Workers inside the process, for ``baton dev``: the same tasks through Celery's own tracer, with no Celery worker."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec
import structlog
from celery import Celery, Task, states
from celery.app.trace import build_tracer, reset_worker_optimizations, setup_worker_optimizations
from celery.exceptions import InvalidTaskError, NotRegistered, TaskRevokedError

from engine.broker.port import Broker, OpenBroker
from engine.errors import BrokerUnavailable
from engine.identifier import new_id
from engine.model.request import Outcome, Request
from engine.wire.celery_control import CONTROL_EXCHANGE, decode_revoke
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message
from workers.app import prepare_task
from workers.later import Later
from workers.reply import EngineReplies, is_engines
from workers.task_log import leave_out_payloads
from workers.task_names import queue_name, served_tasks

_log = structlog.get_logger(__name__)

#: Seconds between looks at whether to stop, and before a lost broker is tried again.
_PATIENCE: Final = 1.0
#: Revoked tasks remembered; Celery's workers keep as many.
_MAX_REVOKED: Final = 50_000

#: Positional arguments, keyword arguments, and Celery's own part of a message.
_Arguments: TypeAlias = tuple[list[Any], dict[str, Any], dict[str, Any]]

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class _Work:
    """A task with the tracer that runs it and the app it belongs to."""

    __slots__ = ("app", "replies", "task", "trace")

    def __init__(self, app: Celery, task: Task, replies: EngineReplies, hostname: str) -> None:
        self.app = app
        self.task = task
        self.replies = replies
        self.trace = build_tracer(task.name, task, app=app, hostname=hostname)


class EmbeddedWorkers:
    """A pool of threads that take tasks from the broker's queues, one at a time each, and answer the engine.

    ``apps`` are Celery apps whose tasks are served as ``connect`` would serve them; no server of theirs is contacted.
    Where two of them have a task of one name, the first one's is served.
    Each thread has a broker connection of its own with a prefetch of one, so that urgent tasks always go first.
    """

    def __init__(
        self, open_broker: OpenBroker, apps: Sequence[Celery], threads: int = 8, domain: str | None = None
    ) -> None:
        leave_out_payloads()
        self._open_broker = open_broker
        self._own = threading.local()
        self._control = open_broker()
        self._brokers: list[Broker] = [self._control]
        self._stopping = threading.Event()
        self._revoked: dict[str, None] = {}
        self._hostname = f"embedded@{socket.gethostname()}"
        self._later = Later(self._publish)
        self._work: dict[str, _Work] = {}
        self._untouched: list[tuple[Task, type[Task], dict[str, Any]]] = []
        self._queues: list[str] = []
        for app in apps:
            self._adopt(app, domain)
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker-{n}", daemon=True) for n in range(1, threads + 1)
        ]
        self._threads.append(threading.Thread(target=self._obey, name="worker-control", daemon=True))

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that are served."""
        return tuple(self._queues)

    def start(self) -> None:
        """Begin to take tasks."""
        self._later.start()
        # Before the first task: no broadcast about it is missed.
        with suppress(BrokerUnavailable):
            ear = f"baton.control.{new_id()}"
            self._control.subscribe("#", ear, CONTROL_EXCHANGE)
            self._control.consume(ear, _MAX_REVOKED)
        for thread in self._threads:
            thread.start()

    def stop(self, drain_seconds: float = 10.0) -> bool:
        """Take no more tasks and wait for those that run; return whether all have ended in time.

        What has not ended is delivered again to whoever comes next.
        """
        self._stopping.set()
        for broker in tuple(self._brokers):
            broker.interrupt()
        deadline = time.monotonic() + drain_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._later.stop()
        for broker in self._brokers:
            broker.close()
        reset_worker_optimizations()
        for task, of_class, attributes in self._untouched:
            task.__class__ = of_class
            task.__dict__.clear()
            task.__dict__.update(attributes)
        return not any(thread.is_alive() for thread in self._threads)

    def revoke(self, task_id: str) -> None:
        """Do not run this task if it is still waiting; it is then reported as revoked."""
        if len(self._revoked) >= _MAX_REVOKED:
            self._revoked.pop(next(iter(self._revoked)), None)
        self._revoked[task_id] = None

    def _adopt(self, app: Celery, domain: str | None) -> None:
        # As in a worker: a task class with a __call__ of its own then runs with the request that Celery gave it.
        setup_worker_optimizations(app, self._hostname)
        replies = _EmbeddedReplies(app, self._publish)
        for name, task in served_tasks(app).items():
            if name in self._work:
                # Celery copies tasks into every app of the process unless they are declared with shared=False.
                continue
            self._untouched.append((task, type(task), dict(task.__dict__)))
            prepare_task(task, replies)
            task.signature_from_request = partial(self._again, task, task.signature_from_request)
            self._work[name] = _Work(app, task, replies, self._hostname)
            self._queues.append(queue_name(name, None if name.startswith("system.") else domain))

    def _broker(self) -> Broker:
        """Return this thread's own connection: tasks may report from threads that they have started themselves."""
        broker: Broker | None = getattr(self._own, "broker", None)
        if broker is None:
            broker = self._own.broker = self._open_broker()
            self._brokers.append(broker)
        return broker

    def _publish(self, message: Message) -> None:
        self._broker().publish([message])

    def _serve(self) -> None:
        broker = self._broker()
        # What a broker that is away could not begin, it begins when it is reconnected.
        with suppress(BrokerUnavailable):
            for queue in self._queues:
                broker.consume(queue, 1)
        self._attend(broker, 1, partial(self._run, broker))

    def _obey(self) -> None:
        """Hear the same broadcasts as Celery's workers do."""

        def hear(delivery: Delivery) -> None:
            task_id = decode_revoke(delivery.message)
            if task_id is not None:
                self.revoke(task_id)
            self._control.ack([delivery])

        self._attend(self._control, _MAX_REVOKED, hear)

    def _attend(self, broker: Broker, at_once: int, work: Callable[[Delivery], None]) -> None:
        """Do ``work`` with all that arrives until stopping is wanted; a lost broker is waited for."""
        while not self._stopping.is_set():
            try:
                for delivery in broker.receive(at_once, _PATIENCE):
                    work(delivery)
            except BrokerUnavailable as lost:
                _log.warning("worker.broker_lost", reason=str(lost))
                if not self._stopping.wait(_PATIENCE):
                    self._reconnect(broker)

    def _reconnect(self, broker: Broker) -> None:
        try:
            broker.reconnect()
        except BrokerUnavailable as still:
            _log.debug("worker.broker_still_away", reason=str(still))

    def _run(self, broker: Broker, delivery: Delivery) -> None:
        """Run one task to its end; every way it can end is reported, and only then is the message acked."""
        request = self._request(delivery)
        work = self._work.get(str(request.get("task")))
        try:
            args, kwargs, embed = self._accept(work, request, delivery.message.body)
        except (NotRegistered, TaskRevokedError, InvalidTaskError) as error:
            self._refuse(work, request, error)
            broker.ack([delivery])
            return
        assert work is not None
        request.update(embed, args=args, kwargs=kwargs)
        work.app.set_current()
        try:
            outcome = work.trace(request["id"], args, kwargs, request)
        except BrokerUnavailable:
            raise
        except (Exception, SystemExit) as error:
            # What Celery's tracer lets through would end a worker process; here it must not end the thread.
            self._refuse(work, request, error)
        else:
            if outcome.info is not None and outcome.info.state == states.REJECTED:
                if outcome.info.retval.requeue:
                    broker.reject([delivery])
                    return
                self._refuse(work, request, outcome.info.retval)
        broker.ack([delivery])

    def _accept(self, work: _Work | None, request: dict[str, Any], body: bytes) -> _Arguments:
        """Return the task's arguments, or raise why it is not to be run."""
        if work is None:
            raise NotRegistered(request.get("task"))
        if self._revoked.pop(request["id"], 0) is None:
            raise TaskRevokedError("revoked")
        return _arguments(body)

    def _refuse(self, work: _Work | None, request: dict[str, Any], error: BaseException) -> None:
        """Answer for a task that was not run."""
        replies = work.replies if work else next(iter(self._work.values())).replies
        state = states.REVOKED if isinstance(error, TaskRevokedError) else states.FAILURE
        replies.store_result(request["id"], error, state, request=_Asker(**request))

    def _request(self, delivery: Delivery) -> dict[str, Any]:
        """Return what Celery calls the request: the headers, and how the message came."""
        message = delivery.message
        return {
            **message.headers,
            "id": str(message.headers.get("id")),
            "hostname": self._hostname,
            "is_eager": False,
            "reply_to": message.reply_to,
            "correlation_id": message.correlation_id,
            "properties": {"priority": message.priority},
            "delivery_info": {
                "exchange": "",
                "routing_key": delivery.queue,
                "priority": message.priority,
                "redelivered": delivery.redelivered,
            },
        }

    def _again(self, task: Task, usual: Callable[..., Any], request: Any = None, *args: Any, **options: Any) -> Any:
        """Return the signature with which ``self.retry`` sends the task again: through our broker, after its delay."""
        request = task.request if request is None else request
        signature = usual(request, *args, **options)
        if is_engines(request):
            signature.apply_async = partial(self._send_again, request, signature)
        return signature

    def _send_again(self, request: Any, signature: Any) -> None:
        options = signature.options
        headers = {name: value for name, value in request.__dict__.items() if name in _HEADERS}
        message = Message(
            queue=request.delivery_info["routing_key"],
            body=_encode([list(signature.args), dict(signature.kwargs), {}]),
            headers={**headers, "retries": options.get("retries", 0)},
            message_id=request.id,
            correlation_id=request.correlation_id,
            reply_to=request.reply_to,
            priority=request.delivery_info["priority"],
        )
        self._later.publish(message, _delay(options))


class _EmbeddedReplies(EngineReplies):
    """The same answers, through the connection of the thread that gives them."""

    def __init__(self, app: Celery, publish: Callable[[Message], None]) -> None:
        super().__init__(app)
        self._publish_message = publish

    def publish(self, message: Message) -> None:
        """Publish a message; the engine's broker has no exchange but its own."""
        if message.exchange not in ("", STATUS_EXCHANGE):
            raise LookupError(f"the broker of this process has no exchange {message.exchange!r}")
        self._publish_message(msgspec.structs.replace(message, transient=False))

    def ask(self, question: Request, queue: str, patience_seconds: float) -> Outcome | None:
        """Give no answer: what kills a worker here takes the engine along."""
        return None


class _Asker:
    """The request of a task that was not run, as a result backend wants to see it."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update({"group": None, "children": [], **fields})


#: The headers of a task message that its retry carries on.
_HEADERS: Final = frozenset(
    {"lang", "task", "id", "root_id", "parent_id", "shadow", "timelimit", "argsrepr", "kwargsrepr", "origin"}
    | {"ignore_result", "workflow_id", "attempt", "calls"}
)


def _arguments(body: bytes) -> _Arguments:
    """Return the positional and keyword arguments in a message, and Celery's own part of it."""
    try:
        args, kwargs, embed = _decode(body)
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
        raise InvalidTaskError(f"the task message cannot be read: {error}") from None
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise InvalidTaskError("the task message must hold a list of arguments and a dict of keyword arguments")
    return args, kwargs, embed or {}


def _delay(options: dict[str, Any]) -> float:
    """Return the seconds that a retry asks to wait."""
    eta = options.get("eta")
    if isinstance(eta, datetime):
        return max(0.0, (eta - datetime.now(eta.tzinfo or UTC)).total_seconds())
    return float(options.get("countdown") or 0.0)
