"""Going back: rows are taken out of the flow, and the containers around them made ready to go on from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from engine.decider.draft import Draft
from engine.decider.execution import ListKey
from engine.decider.place import place_of
from engine.decider.schedule import schedule
from engine.model.command import Abandon
from engine.model.execution import NEVER, Task
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus


class Return(Struct, frozen=True):
    """Where the flow goes back to: a place in a list, and the containers around it, innermost first."""

    key: ListKey
    position: int
    containers: tuple[int, ...]


def take_out(draft: Draft, seqs: Iterable[int]) -> None:
    """Take rows out of the flow; what is still open among them is cancelled, and whoever works for it is told."""
    seqs = tuple(seqs)
    for seq in seqs:
        task = draft.tasks[seq]
        if not task.status.is_open:
            continue
        started = task.dispatched and (task.queue or task.child_id)
        if started and draft.plans[seq].kind.stops_with_task:
            draft.command(Abandon(seq, None if task.queue else task.child_id))
        draft.change(task, status=TaskStatus.CANCELED, ended_at=draft.now, updated_at=draft.now, due_at=NEVER)
    draft.supersede(seqs)


def unwind(draft: Draft, task: Task, *, keep: bool) -> Return:
    """Take everything out of the flow that it did behind a task, and the task itself unless it is to be kept.

    That is what stands behind it in its list, and behind each container around it in theirs, with all that these have
    opened, and the later iterations of loops. Other branches of forks keep what they have done.
    """
    behind: dict[ListKey, int] = {(task.parent, task.branch): task.position + keep}
    inside: dict[int, Task] = {}
    for inner, owner in _around(draft, task):
        behind[owner.parent, owner.branch] = owner.position + 1
        if not draft.plans[owner.seq].kind.detached:
            inside[owner.seq] = inner
    doomed: set[int] = set()
    for seq in sorted(draft.tasks):
        each = draft.tasks[seq]
        position, inner_one = behind.get((each.parent, each.branch)), inside.get(each.parent)
        later = inner_one is not None and each.branch != inner_one.branch and seq > inner_one.seq
        if later or each.parent in doomed or (position is not None and each.position >= position):
            doomed.add(seq)
    take_out(draft, sorted(doomed))
    for owner_seq, inner in inside.items():
        _go_inside(draft, draft.tasks[owner_seq], inner)
    return Return((task.parent, task.branch), task.position, tuple(inside))


def _around(draft: Draft, task: Task) -> Iterator[tuple[Task, Task]]:
    """Yield each container around a task, and the task within it that leads there, innermost first."""
    while task.parent:
        owner = draft.tasks[task.parent]
        yield task, owner
        task = owner


def _go_inside(draft: Draft, owner: Task, inner: Task) -> None:
    """Have the flow stand in a list of this container again: in that of ``inner``."""
    plan = draft.plans[owner.seq]
    if not plan.kind.reopens:
        draft.change(owner, executed=False)
        return
    draft.change(
        owner,
        status=TaskStatus.IN_PROGRESS,
        executed=False,
        # The iteration that ``inner`` is part of; where it is a loop itself, its row counts its own.
        iteration=plan.kind.branch(plan.step, owner, inner.branch).iteration,
        reason=None,
        started_at=draft.now,
        updated_at=draft.now,
        ended_at=NEVER,
        due_at=NEVER,
    )


def settle_in(draft: Draft, there: Return) -> None:
    """Have the containers forget what they had gathered from later on; everything is derived anew before."""
    for seq in reversed(there.containers):
        owner = draft.tasks[seq]
        place = place_of(draft, owner)
        if place is not None and owner.status.is_open:
            draft.change(owner, output=place.kind.rewound(place))


def live_place(draft: Draft, ref: str) -> Return | None:
    """Return where a step stands in a list that the flow is in, named with its iteration or without."""
    for key in draft.lists:
        opened = draft.lists[key]
        for position, step in enumerate(opened.steps):
            plain = opened.ref_of(step)
            if ref in (plain, plain + opened.suffix):
                return Return(key, position, ())
    return None


def clear_way(draft: Draft, there: Return) -> None:
    """Take everything out of a list that stands at a place or behind it, and what the flow has not passed before it."""
    inside = [task for seq in sorted(draft.tasks) if _key(task := draft.tasks[seq]) == there.key]
    unfinished = {
        task.position for task in inside if not task.retried and (not task.executed or draft.forks.get(task.seq))
    }
    doomed: set[int] = set()
    for seq in sorted(draft.tasks):
        each = draft.tasks[seq]
        here = _key(each) == there.key and (each.position >= there.position or each.position in unfinished)
        if here or each.parent in doomed:
            doomed.add(seq)
    take_out(draft, sorted(doomed))


def _key(task: Task) -> ListKey:
    return task.parent, task.branch


def schedule_with(draft: Draft, there: Return, given: JsonObject | None) -> None:
    """Schedule the step at a place that the flow goes to, with this input, if there is one, for its parameters."""
    task = schedule(draft, there.key, draft.lists[there.key], there.position)
    if task is not None and given is not None:
        own: dict[str, Json] = dict(given)
        draft.change(task, input=own)
