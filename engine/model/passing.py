"""Requests that runs send each other: a signal on its way through a family of runs, and what a task asks and hears.

Each hop is a request of its own. Its id follows from the first one's, so that one which is published again is known.
"""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_OID, uuid5

from msgspec.structs import replace

from engine.model.execution import Task, split_task_id
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus

#: Argument of a request that has gone from run to run: how it has come here.
_WAY: Final = "way"

#: Argument of a request by a task: the id of the task that is to hear what came of it.
_ANSWER_TO: Final = "answerTo"

#: The code of an outcome that is not the answer: another run will give that.
PASSED_ON: Final = 202


def down(request: Request, task: Task) -> Request:
    """Return the request as it goes to the child of a task."""
    assert task.child_id is not None
    through = [*_through(request), task.id]
    return _hop(request, task.child_id, through, behind=0)


def back(request: Request) -> Request | None:
    """Return the request as it goes back to the parent that it came from; None where it began in this run."""
    through = _through(request)
    parent = split_task_id(str(through[-1])) if through else None
    return None if parent is None else _hop(request, parent[0], through[:-1], behind=parent[1])


def behind(request: Request) -> int:
    """Return the seq of the task behind which to look further: the child of that one has nothing for the request."""
    seq = _way(request).get("behind")
    return seq if isinstance(seq, int) else 0


def passed_on(run: str) -> Outcome:
    """Return the outcome for a run that has sent a request on."""
    return Outcome(granted=True, code=PASSED_ON, message=f"passed on to workflow {run}")


def asked_by(task: Task, workflow_id: str, verb: str, arguments: JsonObject) -> Request:
    """Return the request of a task to a run, of which it wants to hear what came of it."""
    return Request(
        event_id=f"{task.id}/asks",
        workflow_id=workflow_id,
        verb=verb,
        arguments={**arguments, _ANSWER_TO: task.id},
        by=task.id,
        may_repeat=True,
    )


def wants_answer(request: Request) -> bool:
    """True for the request of a task that wants to hear what came of it."""
    return _ANSWER_TO in request.arguments


def answer(request: Request, outcome: Outcome) -> Request | None:
    """Return what tells the task that has asked: a report on it; None where no task has."""
    asker = request.arguments.get(_ANSWER_TO)
    parts = split_task_id(asker) if isinstance(asker, str) else None
    if parts is None:
        return None
    status = TaskStatus.COMPLETED if outcome.granted else TaskStatus.FAILED
    report: dict[str, Json] = {"taskId": asker, "status": status.value, "output": outcome.result}
    if not outcome.granted:
        report["reason"] = outcome.message
    return Request(
        event_id=str(uuid5(NAMESPACE_OID, f"baton answer to {request.event_id}")),
        workflow_id=parts[0],
        verb="update_task",
        arguments=report,
        by=request.workflow_id,
        may_repeat=True,
    )


def _hop(request: Request, workflow_id: str, through: list[Json], behind: int) -> Request:
    way = _way(request)
    first, hops = way.get("first", request.event_id), int(way.get("hops", 0)) + 1
    return replace(
        request,
        event_id=str(uuid5(NAMESPACE_OID, f"baton hop {hops} of {first}")),
        workflow_id=workflow_id,
        arguments={
            **request.arguments,
            _WAY: {"first": first, "hops": hops, "through": through, "behind": behind},
        },
        may_repeat=True,
    )


def _way(request: Request) -> JsonObject:
    way = request.arguments.get(_WAY)
    return way if isinstance(way, dict) else {}


def _through(request: Request) -> list[Json]:
    through = _way(request).get("through")
    return list(through) if isinstance(through, list) else []
