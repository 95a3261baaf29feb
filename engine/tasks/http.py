"""HTTP: calls a web service (Conductor 3.14); its body is ``workers/tasks/http.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.tasks.step import required
from engine.tasks.system import SystemTask


class Http(SystemTask):
    """Needs a request: under ``http_request`` or flat among the inputs, or in the task definition's template."""

    name = "HTTP"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand something that describes a request."""
        template = config.task_definition.input_template if config.task_definition else {}
        given = {**template, **config.input_parameters}
        found = any(key in given for key in ("http_request", "uri", "method"))
        yield from required(config, "inputParameters.http_request", found)

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name an address under the name that it has elsewhere."""
        request = config.input_parameters.get("http_request", config.input_parameters)
        if isinstance(request, Mapping) and "url" in request and "uri" not in request:
            where = "inputParameters.http_request" if "http_request" in config.input_parameters else "inputParameters"
            yield Fault(f"{where}.url", "an HTTP task does not read it; did you mean 'uri'?")


TYPE = Http()
