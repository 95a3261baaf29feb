"""What holds a family of runs up is found as a signal would find it, whatever waits for what."""

from __future__ import annotations

from engine.api.family import Family, Place
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus
from engine.store.port import Save
from engine.testing.memory_store import MemoryStore
from engine.wire.news import Changed


def a_task(run: str, seq: int, kind: str = "SIMPLE", **fields: object) -> Task:
    fields = {"status": TaskStatus.IN_PROGRESS, "ref": f"t{seq}", **fields}
    return Task(workflow_id=run, seq=seq, type=kind, name=f"t{seq}", **fields)


def family(*tasks: Task, refs: tuple[str, ...] = ()) -> Family:
    """Return the family of the run ``top``, read."""
    store = MemoryStore()
    with store.transaction() as tx:
        for run in {task.workflow_id for task in tasks}:
            record = Workflow(id=run, name="w", version=1, definition_hash="h", version_no=1)
            mine = [task for task in tasks if task.workflow_id == run]
            tx.save([Save(workflow=record, loaded_version=None, inserted=mine)])
    found = Family(store, "top", refs)
    stale = {"top"}
    while stale:
        stale = found.look(stale)
    return found


def sub(run: str, seq: int, child: str) -> Task:
    return a_task(run, seq, "SUB_WORKFLOW", child_id=child)


def test_the_first_in_the_order_of_scheduling_holds_up_also_when_it_is_below() -> None:
    runs = [sub("top", 1, "low"), a_task("top", 2, "WAIT"), a_task("low", 1), a_task("low", 2, "HUMAN")]
    assert family(*runs).blocking == Place("low", 2)
    assert family(*runs[:-1]).blocking == Place("top", 2)


def test_where_nothing_holds_it_up_the_open_task_farthest_below_is_shown() -> None:
    runs = [a_task("top", 1, "DO_WHILE"), sub("top", 2, "low"), a_task("low", 1)]
    assert (family(*runs).blocking, family(*runs).standing) == (None, Place("low", 1))
    assert family(*runs[:-1]).standing == Place("top", 2)


def test_of_an_awaited_task_only_the_last_attempt_counts() -> None:
    failed = a_task("top", 1, ref="a", status=TaskStatus.FAILED, retried=True)
    again = a_task("top", 2, ref="a", retry_of=1)
    assert not family(failed, again, refs=("a",)).is_settled
    assert family(failed, a_task("top", 2, ref="a", status=TaskStatus.COMPLETED), refs=("a",)).standing == ("top", 2)


def test_a_task_in_a_loop_is_awaited_by_either_name() -> None:
    for name in ("a", "a__3"):
        assert family(a_task("top", 1, ref="a__3", iteration=3, status=TaskStatus.COMPLETED), refs=(name,)).is_settled


def test_runs_that_wait_for_each_other_are_looked_at_once() -> None:
    circle = family(sub("top", 1, "low"), sub("low", 1, "top"))
    assert (circle.is_settled, circle.blocking, set(circle.runs)) == (False, None, {"top", "low"})
    assert circle.standing == Place("low", 1)


def test_a_large_family_is_looked_at_so_far_as_it_is_bounded() -> None:
    wide = family(*(sub("top", seq, f"low{seq}") for seq in range(1, 1_500)))
    assert len(wide.runs) == 1_000


def test_news_is_new_once() -> None:
    found = family(a_task("top", 1))
    assert not found.is_new(Changed("top", "w", 1, "RUNNING", False))
    assert found.is_new(Changed("top", "w", 2, "RUNNING", False))
    assert not found.is_new(Changed("other", "w", 2, "RUNNING", False))
