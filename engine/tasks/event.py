"""EVENT: publishes a message (Conductor 3.13); its body is ``workers/tasks/event.py``."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.tasks.step import At, HandOut, Step, required
from engine.tasks.system import SystemTask


class Event(SystemTask):
    """The payload is the task's input and where it comes from; the message id is the task id."""

    name = "EVENT"
    takes_template = False

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a sink."""
        yield from required(config, "sink", config.sink)

    def start(self, at: At) -> Step:
        """Resolve the sink and hand the payload to the event workers."""
        workflow = at.workflow
        sink = str(at.substitute(at.config.sink))
        kind, _, rest = sink.partition(":")
        if kind == "conductor":
            sink = f"conductor:{workflow.name}:{rest or at.config.task_reference_name}"
        payload = {
            **at.task.input,
            "workflowInstanceId": workflow.id,
            "workflowType": workflow.name,
            "workflowVersion": workflow.version,
            "correlationId": workflow.correlation_id,
            "taskToDomain": workflow.task_to_domain,
            "sink": at.config.sink,
            "asyncComplete": at.config.async_complete,
            "event_produced": sink,
        }
        return HandOut(queue=self.queue, input=payload)


TYPE = Event()
