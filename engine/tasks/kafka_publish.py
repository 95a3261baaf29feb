"""KAFKA_PUBLISH: publishes a message to Kafka (Conductor 3.20); its body is ``workers/tasks/kafka_publish.py``."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.tasks.step import required
from engine.tasks.system import SystemTask


class KafkaPublish(SystemTask):
    """Needs a ``kafka_request``, from the step or from the task definition's template."""

    name = "KAFKA_PUBLISH"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand something that describes the message."""
        template = config.task_definition.input_template if config.task_definition else {}
        given = {**template, **config.input_parameters}
        yield from required(config, "inputParameters.kafka_request", given.get("kafka_request"))


TYPE = KafkaPublish()
