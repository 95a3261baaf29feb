"""What a run forgets: the rows of iterations that a loop's definition does not want kept (``keepLastN``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from engine.decider.draft import Draft
from engine.decider.execution import ListKey
from engine.decider.unconfirmed import commands_in
from engine.model.command import Command
from engine.model.execution import Task
from engine.tasks import task_type

#: Times so many rows make a run a large one, which is looked through when it has grown by half.
_LARGE: Final = 16


def forget(draft: Draft, commands: Mapping[str, Sequence[Command]]) -> None:
    """Take what nobody wants any more out of the run's rows for good, now and then.

    So looking costs little for each row, and a loop that goes on for ever has not many more rows than it keeps. What is
    derived is derived anew from those that are left: whoever loads the run finds the same. ``commands`` are those of
    this decision; what they name stays until they have been carried out.
    """
    if draft.loaded.last_seq == draft.workflow.last_seq:
        return
    interval = _interval(draft.surroundings.forget_after_tasks, len(draft.base.tasks))
    if draft.loaded.last_seq // interval == draft.workflow.last_seq // interval or draft.removal is not None:
        return
    unwanted = _unwanted(draft)
    named, awaited = _named(draft, commands), _awaited(draft)
    doomed = [
        each.seq
        for rows in unwanted.values()
        if all(_is_over(draft, each) and each.seq not in named and each.ref not in awaited for each in rows)
        for each in rows
    ]
    if doomed:
        draft.forget(doomed)
        draft.rebuild()


def _interval(least: int, rows: int) -> int:
    """Return after how many new rows a run of so many is looked through; the same one while it grows to twice that."""
    return least if rows <= _LARGE * least else max(least, 1 << (rows // 2).bit_length())


def _unwanted(draft: Draft) -> dict[ListKey, list[Task]]:
    """Return the rows of each list that is not wanted any more, with all that was opened in it."""
    lists: dict[ListKey, list[Task]] = {}
    within: dict[int, ListKey] = {}
    for seq in sorted(draft.tasks):
        task = draft.tasks[seq]
        outer = within.get(task.parent)
        if outer is None and task.parent:
            owner = draft.tasks[task.parent]
            wanted = draft.plans[owner.seq].kind.wants(draft.plans[owner.seq].step, owner, task.branch)
            outer = None if wanted else (task.parent, task.branch)
        if outer is not None:
            within[seq] = outer
            lists.setdefault(outer, []).append(task)
    return lists


def _is_over(draft: Draft, task: Task) -> bool:
    """True when nothing can come of a row any more: what has failed may count at the end, or be tried again.

    Of a run that it has launched, the news may come once more, and must find it.
    """
    passed = task.status.is_terminal and (task.retried or (task.executed and task.status.is_successful))
    launched = task.child_id is not None and not draft.plans[task.seq].kind.awaits_child
    return passed and not launched


def _awaited(draft: Draft) -> Collection[str]:
    """Return the references that are still waited for together with others, whether they have settled or not."""
    found: set[str] = set()
    for seq in draft.unsettled:
        task = draft.tasks[seq]
        opened = draft.lists[task.parent, task.branch]
        refs = task_type(task.type).awaits(draft.plans[seq].step, task) or ()
        found.update(ref + opened.suffix for ref in refs)
    return found


def _named(draft: Draft, commands: Mapping[str, Sequence[Command]]) -> Collection[int]:
    return {seq for command in _pending(draft, commands) if (seq := getattr(command, "seq", 0)) > 0}


def _pending(draft: Draft, commands: Mapping[str, Sequence[Command]]) -> Iterator[Command]:
    """Yield what this decision commands, and what earlier ones have commanded that may have to go out once more."""
    yield from commands_in(draft.loaded.unconfirmed)
    for each in commands.values():
        yield from each
