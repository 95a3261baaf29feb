"""The queues of system tasks: one for each type, and more where task definitions keep some apart (Conductor 4.9)."""

from __future__ import annotations

import re
from typing import Final

#: What is between the name of the body and the rest, both of which may have anything in them but these two.
_NAMESPACE, _GROUP = "@", "-"

_BODY: Final = re.compile(r"(system\.[^@-]+)([@-].*)?", re.DOTALL)


def system_queue(body: str, namespace: str | None = None, group: str | None = None) -> str:
    """Return the queue for tasks of this body in a namespace, an isolation group, both or neither."""
    of_namespace = f"{_NAMESPACE}{namespace}" if namespace else ""
    return body + of_namespace + (f"{_GROUP}{group}" if group else "")


def body_of(queue: str) -> str | None:
    """Return the name of the body, as Celery knows it, that takes tasks from this queue; None for a worker's own."""
    found = _BODY.fullmatch(queue)
    return found and found[1]
