"""DYNAMIC: runs the task whose name is found in the input (Conductor 3.7)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.tasks.step import Abort, At, Become, HandOut, Step, TaskType, names_input, required
from engine.tasks.system import SystemTask


class Dynamic(TaskType):
    """Retries and timeouts are those of the task that the name resolves to, unlike Conductor's."""

    name = "DYNAMIC"
    takes_template = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand the name of the input that holds the task's name."""
        yield from required(config, "dynamicTaskNameParam", config.dynamic_task_name_param)

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name an input that is read and not given, unless a task definition's template may bring it."""
        if config.task_definition is None:
            yield from names_input(config, "dynamicTaskNameParam", config.dynamic_task_name_param)

    def shown_type(self, task: Task) -> str:
        """Return the name that the task resolved to."""
        return task.name

    def start(self, at: At) -> Step:
        """Become the named task: a system task's own way of starting, or a worker's queue."""
        from engine.tasks import task_types  # the register lists this very module

        name = at.task.input.get(at.config.dynamic_task_name_param or "")
        if name is None or name == "":
            wanted = at.config.dynamic_task_name_param
            return Abort(
                reason="Cannot map a dynamic task based on the parameter and input. "
                f"Parameter: {wanted}, input: {sorted(at.task.input)}"
            )
        kind = task_types().get(str(name))
        if isinstance(kind, SystemTask) or (kind is not None and kind.name in ("NOOP", "HUMAN", "WAIT")):
            return Become(name=kind.name, step=kind.start(at))
        if kind is not None and kind.name != "SIMPLE":
            return Abort(reason=f"A DYNAMIC task cannot become a {kind.name}: it has no definition to carry out")
        return Become(name=str(name), step=HandOut(queue=str(name), by_domain=True))


TYPE = Dynamic()
