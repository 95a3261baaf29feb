"""Which tasks of a Celery app a workflow can name, and on which queues they are served."""

from __future__ import annotations

from celery import Celery, Task

from engine.errors import BadConfiguration


def short_name(registered: str) -> str:
    """Return the name that workflows use for a task: ``resize`` for ``shop.tasks.resize``."""
    return registered.rpartition(".")[2]


def served_tasks(app: Celery) -> dict[str, Task]:
    """Return the app's own tasks by their short names; Celery's built-in ones are left out.

    Names that begin with ``system.`` stay whole: they are the engine's own. Raises ``BadConfiguration`` when two tasks
    have one short name, because a workflow could not say which of them it means.
    """
    app.finalize()
    served: dict[str, Task] = {}
    faults = []
    for registered, task in sorted(app.tasks.items()):
        if registered != task.name or registered.startswith("celery."):
            continue
        name = registered if registered.startswith("system.") else short_name(registered)
        if name in served:
            faults.append(
                f"the tasks {served[name].name!r} and {registered!r} are both called {name!r} in workflows: "
                "give one of them another name, as in @app.task(name=…)"
            )
        served[name] = task
    if faults:
        raise BadConfiguration(faults)
    return served


def queue_name(task_name: str, domain: str | None) -> str:
    """Return the queue of a task: its name, or ``<domain>:<name>``."""
    return f"{domain}:{task_name}" if domain else task_name
