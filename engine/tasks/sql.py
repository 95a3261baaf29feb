"""SQL, in Conductor JDBC: a statement on a database (Conductor 3.21); its body is ``workers/tasks/sql.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from engine.errors import Fault
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.tasks.step import required
from engine.tasks.system import SystemTask

_KINDS = ("SELECT", "UPDATE")


class Sql(SystemTask):
    """Needs a connection by name and a statement; what it may reach is the worker's setting, not the author's."""

    name: ClassVar[str] = "SQL"

    @property
    def queue(self) -> str:
        """The queue, and the Celery name, of the body: one for both names of the type."""
        return "system.sql"

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Expect a connection, a statement, and a kind where it is written out."""
        template = config.task_definition.input_template if config.task_definition else {}
        given = {**template, **config.input_parameters}
        connection = given.get("connectionId") or given.get("integrationName")
        yield from required(config, "inputParameters.connectionId", connection)
        yield from required(config, "inputParameters.statement", given.get("statement"))
        kind = given.get("type")
        if isinstance(kind, str) and not is_expression(kind) and kind.upper() not in _KINDS:
            yield Fault("inputParameters.type", f"must be one of {', '.join(_KINDS)}, not {kind!r}")


class Jdbc(Sql):
    """The same under Conductor's name."""

    name = "JDBC"


TYPES = (Sql(), Jdbc())
