"""Connects a Celery app to the engine: its tasks become tasks of workflows, and nothing changes for anyone else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from celery import Celery, Task
from celery.signals import worker_init
from kombu.entity import Exchange, Queue

from engine.broker import topology
from workers.guard import guarded, guarded_class
from workers.intake import careful_strategy
from workers.reconnecting import reconnect_soon
from workers.redis_lease import lease_messages
from workers.reply import AnswerBackend, EngineReplies
from workers.task_names import queue_name, served_tasks

_CONNECTED: Final = "baton_connected"


def connect(
    app: Celery,
    domain: str | None = None,
    task_queues: str = topology.TaskQueueType.CLASSIC,
    queues: Sequence[str] = (),
) -> None:
    """Let the workers of ``app`` carry out the tasks of workflows.

    A task ``shop.tasks.resize`` is called ``resize`` in workflows, and is served on the queue ``resize`` (with a
    ``domain``, on ``<domain>:resize``) by a plain ``celery -A shop worker``; ``-Q`` narrows that down as usual. Answers
    to the engine go to the engine; results of all other tasks go to the app's own backend, as before.

    Some things hold for all tasks of the workers, because a worker has them only once: messages are acked when the task
    has ended (a killed worker loses nothing), the prefetch multiplier is 1 (urgent tasks go first), also after a lost
    connection, what the broker has not confirmed is published again, and one that is away is tried every three seconds.
    On Redis, what a worker has taken is leased (``workers.redis_lease``).

    ``queues`` are further ones that carry these tasks; a worker serves them where ``-Q`` names them.

    ``task_queues`` is ``classic`` or ``quorum`` and must be what the engine is set to (``BATON_TASK_QUEUE_TYPE``). A
    worker whose tasks include two of one short name does not start and names them.
    """
    kind = topology.TaskQueueType(task_queues)
    if getattr(app, _CONNECTED, False):
        return
    setattr(app, _CONNECTED, True)

    def prepare(sender: Any, **_: object) -> None:
        if sender.app is app:
            sender.prefetch_multiplier = 1
            # After a lost connection Celery lowers the prefetch, and raises it again whenever a task has ended: in the
            # threads pool from the task's own thread, which reads the broker's answer off the connection that the
            # worker's thread is reading. Either may then wait for ever for what the other has got.
            app.conf.worker_enable_prefetch_count_reduction = False
            # Result and ack travel on two lines: a broker that dies between them has the ack, and the result is gone.
            app.conf.broker_transport_options = {"confirm_publish": True, **app.conf.broker_transport_options}
            reconnect_soon(app)
            lease_messages(app)
            try:
                _serve(app, domain, kind, queues)
            except Exception as error:
                # Celery logs what a signal's receiver raises and goes on; the worker would then serve nothing of ours.
                raise SystemExit(f"This worker cannot work for Baton. {error}") from error

    # When a worker has imported its modules and not yet begun to listen: all its tasks are known.
    worker_init.connect(prepare, weak=False)


def prepare_task(task: Task, replies: EngineReplies) -> None:
    """Make one task answer the engine, and report every end of its work for it."""
    task.backend = AnswerBackend(_backend_of(task), replies)
    task.run = guarded(task, task.run)
    task.__class__ = guarded_class(task)
    task.Strategy = careful_strategy
    task.acks_late = True


def _serve(app: Celery, domain: str | None, task_queues: topology.TaskQueueType, further: Sequence[str]) -> None:
    replies = EngineReplies(app)
    # None as long as no -Q was given.
    chosen = app.amqp.queues._consume_from
    names = []
    for name, task in served_tasks(app).items():
        prepare_task(task, replies)
        # The engine sends by the short name; under it the worker must find the task.
        app.tasks[name] = task
        names.append(queue_name(name, domain))
    for each in (*names, *further):
        queue = _queue(each, task_queues)
        if each in chosen if chosen is not None else each in names:
            app.amqp.queues.select_add(queue)
        else:
            app.amqp.queues.add(queue)


def _queue(name: str, task_queues: topology.TaskQueueType) -> Queue:
    """Return the queue with exactly the arguments that the engine declares it with; others are refused with 406."""
    declared = topology.queue(name, task_queues)
    return Queue(  # type: ignore[no-untyped-call]
        name,
        exchange=Exchange(""),  # type: ignore[no-untyped-call]
        routing_key=name,
        durable=declared.durable,
        queue_arguments=dict(declared.arguments),
    )


def _backend_of(task: Task) -> Any:
    """Return what finds the backend that the task has without the engine; apps keep one for each thread."""
    own = task._backend
    return (lambda: own) if own is not None else (lambda: task.app.backend)
