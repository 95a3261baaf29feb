"""Runs are loaded as they were saved, and only over the version that they were decided from."""

from __future__ import annotations

import msgspec
import pytest

from engine.clock import Instant
from engine.decider.validate import check_workflow
from engine.model.execution import Task, Workflow
from engine.model.status import TaskStatus, WorkflowStatus
from engine.search.grammar import read_query
from engine.search.subject import TASKS
from engine.store.port import Save, Store
from engine.store.search_port import Query
from engine.store.slices import SLICE
from tests.conformance.store.runs import MOMENT, a_run, a_task, change, create, load, save

FULL_RUN = Workflow(
    id="run",
    name="order",
    version=7,
    definition_hash="abc",
    status=WorkflowStatus.FAILED,
    version_no=3,
    wake_at=Instant(MOMENT + 1),
    unconfirmed=[["event", [1, 2]]],
    last_seq=9,
    input={"a": 1},
    output={"b": [2]},
    variables={"c": None},
    task_to_domain={"pack": "eu"},
    correlation_id="order-1",
    priority=55,
    parent_id="parent",
    parent_task_id="parent.4",
    depth=2,
    created_by="ann",
    event="paid",
    idempotency_key="key",
    created_at=MOMENT,
    updated_at=Instant(MOMENT + 2),
    ended_at=Instant(MOMENT + 3),
    last_retried_at=Instant(MOMENT + 4),
    reason="no room",
    failed_task_id="run.3",
    failed_refs=("pack", "ship"),
    failed_names=("pack_it",),
    failure_workflow_id="cleanup",
    messages=({"id": "m", "payload": {"n": 1}},),
)
FULL_TASK = Task(
    workflow_id="run",
    seq=3,
    ref="pack__2",
    type="SIMPLE",
    name="pack",
    parent=2,
    branch="case a",
    position=1,
    iteration=2,
    attempt=1,
    retry_of=2,
    retried=True,
    executed=True,
    status=TaskStatus.TIMED_OUT,
    input={"a": 1},
    output={"b": 2},
    reason="too slow",
    queue="eu:pack",
    domain="eu",
    worker="host-1",
    polls=4,
    callback_after_seconds=30,
    first_scheduled_at=Instant(MOMENT + 1),
    scheduled_at=Instant(MOMENT + 2),
    visible_at=Instant(MOMENT + 3),
    dispatched=True,
    started_at=Instant(MOMENT + 4),
    updated_at=Instant(MOMENT + 5),
    ended_at=Instant(MOMENT + 6),
    due_at=Instant(MOMENT + 7),
    child_id="child",
    own_definition={"name": "pack"},
)


def test_every_field_of_a_new_run_and_its_tasks_comes_back(store: Store) -> None:
    create(store, FULL_RUN, tasks=[FULL_TASK])
    rows = load(store)
    assert rows.workflow == FULL_RUN
    assert rows.tasks == (FULL_TASK,)


def test_every_field_that_may_change_comes_back_changed(store: Store) -> None:
    # Given a run and a task that are all defaults
    born = {name: getattr(FULL_RUN, name) for name in ("parent_id", "parent_task_id", "depth", "created_by", "event")}
    run = a_run(idempotency_key="key", **born)
    places = ("ref", "parent", "branch", "position", "attempt", "retry_of")
    task = a_task(seq=3, **{name: getattr(FULL_TASK, name) for name in places})
    create(store, run, tasks=[task])
    # When everything changes that can
    save(store, Save(workflow=FULL_RUN, loaded_version=1, updated=[FULL_TASK]))
    # Then
    assert load(store).workflow == FULL_RUN
    assert load(store).tasks == (FULL_TASK,)


def test_payloads_can_become_empty_again(store: Store) -> None:
    create(store, FULL_RUN, tasks=[FULL_TASK])
    run = change(
        FULL_RUN, input={}, output={}, variables={}, task_to_domain={}, unconfirmed=(), failed_refs=(), messages=()
    )
    task = msgspec.structs.replace(FULL_TASK, input={}, output={}, own_definition=None)
    save(store, Save(workflow=run, loaded_version=3, updated=[task]))
    assert load(store).workflow == run
    assert load(store).tasks == (task,)


def test_payloads_that_are_the_same_objects_as_before_stay_as_stored(store: Store) -> None:
    create(store, FULL_RUN, tasks=[FULL_TASK])
    run, task = change(FULL_RUN, output={"new": 1}), msgspec.structs.replace(FULL_TASK, output={"new": 2})
    save(
        store,
        Save(workflow=run, loaded_version=3, updated=[task], before=FULL_RUN, tasks_before={3: FULL_TASK}),
    )
    assert load(store).workflow == run
    assert load(store).tasks == (task,)


def test_unknown_ids_are_left_out(store: Store) -> None:
    create(store, a_run("known"))
    with store.transaction() as transaction:
        assert transaction.load(["known", "unknown", "un\0known"]).keys() == {"known"}
        assert transaction.load([]) == {}


def test_tasks_come_in_the_order_of_seq_each_with_its_own_run(store: Store) -> None:
    tasks = [a_task(run, seq) for seq in (10, 2, 1) for run in ("b", "a")]
    create(store, a_run("a"), a_run("b"), a_run("c"), tasks=tasks)
    with store.transaction() as transaction:
        rows = transaction.load(["c", "b", "a"])
    assert {run: [task.seq for task in rows[run].tasks] for run in rows} == {"a": [1, 2, 10], "b": [1, 2, 10], "c": []}


def test_what_the_tasks_of_a_run_have_in_common_is_in_memory_once(store: Store) -> None:
    create(store, a_run("r"), tasks=[a_task("r", seq, name="resize", queue="eu:resize") for seq in (1, 2)])
    one, other = load(store, "r").tasks
    assert all(getattr(one, field) is getattr(other, field) for field in ("workflow_id", "type", "name", "queue"))


def test_saving_names_what_was_written(store: Store) -> None:
    assert create(store, a_run("a"), a_run("b")) == {"a", "b"}
    assert save(store) == set()


def test_a_run_that_moved_on_is_not_overwritten_while_its_neighbours_are_saved(store: Store) -> None:
    # Given three runs, of which one has moved on since it was loaded
    runs = [a_run(identity) for identity in ("a", "b", "c")]
    create(store, *runs, tasks=[a_task(run.id) for run in runs])
    save(store, Save(workflow=change(runs[1], reason="first"), loaded_version=1))
    # When all are saved from the version that they were loaded at
    done = {"status": TaskStatus.COMPLETED, "output": {"late": True}}
    written = save(
        store,
        *(
            Save(
                workflow=change(run, reason="second"),
                loaded_version=1,
                inserted=[a_task(run.id, 2)],
                updated=[a_task(run.id, 1, **done)],
            )
            for run in runs
        ),
    )
    # Then nothing of that one is written, and everything of the others
    assert written == {"a", "c"}
    assert load(store, "b").workflow.reason == "first"
    assert load(store, "b").tasks == (a_task("b"),)
    for run in ("a", "c"):
        assert load(store, run).workflow.reason == "second"
        assert load(store, run).tasks == (a_task(run, 1, **done), a_task(run, 2))


def test_a_run_that_exists_is_not_created_again_while_its_neighbours_are(store: Store) -> None:
    create(store, a_run("a"), tasks=[a_task("a")])
    again = [a_run("a", reason="again"), a_run("b")]
    assert create(store, *again, tasks=[a_task("a", 2), a_task("b")]) == {"b"}
    assert load(store, "a").workflow.reason is None
    assert load(store, "a").tasks == (a_task("a"),)
    assert load(store, "b").tasks == (a_task("b"),)


def test_a_run_that_does_not_exist_is_not_saved_over(store: Store) -> None:
    assert save(store, Save(workflow=a_run(), loaded_version=4, inserted=[a_task()])) == set()
    with store.transaction() as transaction:
        assert transaction.load(["run"]) == {}


def test_new_and_known_runs_are_saved_together(store: Store) -> None:
    known = a_run("known")
    create(store, known)
    new = Save(workflow=a_run("new"), loaded_version=None, inserted=[a_task("new")])
    assert save(store, new, Save(workflow=change(known), loaded_version=1)) == {"known", "new"}
    assert load(store, "known").workflow.version_no == 2


def test_ten_thousand_tasks_are_saved_and_changed_at_once(store: Store) -> None:
    # Few have a payload: where payloads are kept outside, each is a file that is waited for.
    tasks = [a_task(seq=seq, input={} if seq % 100 else {"number": seq}) for seq in range(1, 10_001)]
    create(store, a_run(last_seq=10_000), tasks=tasks)
    assert load(store).tasks == tuple(tasks)
    done = [msgspec.structs.replace(task, status=TaskStatus.COMPLETED) for task in tasks]
    save(store, Save(workflow=change(a_run()), loaded_version=1, updated=done))
    assert {task.status for task in load(store).tasks} == {TaskStatus.COMPLETED}


def test_a_thousand_runs_are_saved_and_loaded_at_once(store: Store) -> None:
    runs = [a_run(f"run-{number:04}") for number in range(1_000)]
    assert len(create(store, *runs, tasks=[a_task(run.id) for run in runs])) == 1_000
    with store.transaction() as transaction:
        assert len(transaction.load([run.id for run in runs])) == 1_000


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    create(store, a_run("kept"), tasks=[a_task("kept")])
    changed = Save(workflow=change(a_run("kept"), reason="gone"), loaded_version=1, inserted=[a_task("kept", 2)])
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        transaction.save([changed, Save(workflow=a_run("new"), loaded_version=None)])
        transaction.put_setting("partitions", "8")
        transaction.share_leases("ann", MOMENT, 30, 2)
        transaction.note_queues(["pack"])
        raise ZeroDivisionError
    assert load(store, "kept").workflow.reason is None
    assert load(store, "kept").tasks == (a_task("kept"),)
    with store.transaction() as transaction:
        assert transaction.load(["new"]) == {}
        assert transaction.setting("partitions") is None
        assert transaction.queue_names() == ()
        assert transaction.share_leases("ben", MOMENT, 30, 2) == (0, 1)


def test_what_a_transaction_wrote_it_reads(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.save([Save(workflow=a_run(), loaded_version=None)])
        assert transaction.load(["run"])["run"].workflow == a_run()


def test_an_open_loop_is_read_with_what_its_row_leaves_to_those_of_its_iterations(store: Store) -> None:
    loop = {"name": "l", "taskReferenceName": "l", "type": "DO_WHILE", "loopCondition": "true"}
    body = [{"name": "pack", "taskReferenceName": "pack"}, {"name": "ship", "taskReferenceName": "ship"}]
    with store.transaction() as transaction:
        transaction.put_snapshot({"h": check_workflow({"name": "order", "tasks": [{**loop, "loopOver": body}]})})
    within = {"parent": 1, "status": TaskStatus.COMPLETED}
    looping = {"iteration": 3, "status": TaskStatus.IN_PROGRESS, "started_at": MOMENT, "output": {"iteration": 3}}
    tasks = [
        a_task(seq=1, ref="l", type="DO_WHILE", **looping),
        a_task(seq=2, ref="pack__1", branch="1", iteration=1, output={"n": 1}, **within),
        a_task(seq=3, ref="ship__1", branch="1", iteration=1, position=1, **within),
        a_task(seq=4, ref="pack__2", branch="2", iteration=2, output={"n": 2}, **within),
        a_task(seq=5, ref="pack__3", branch="3", iteration=3, output={"n": 3}, **within),
    ]
    create(store, a_run(), tasks=tasks)
    whole = {"iteration": 3, "1": {"pack": {"n": 1}, "ship": {}}, "2": {"pack": {"n": 2}}}
    with store.transaction() as transaction:
        assert transaction.load(["run"])["run"].tasks[0].output == whole
        assert transaction.load(["run"], payloads=False)["run"].tasks[0].output == {}
        assert transaction.tasks_by_seq("run", [1])[0].output == whole
        assert transaction.task_page("run", (), 0, 1)[1][0].output == whole
        found = transaction.search_tasks(Query(condition=read_query("taskType = DO_WHILE", TASKS)))
    assert [task.output for task in found.tasks] == [whole]


MANY = 2 * SLICE + 1


def test_a_run_of_more_tasks_than_a_slice_is_saved_and_loaded_whole(store: Store) -> None:
    run, tasks = a_run(), [a_task(seq=seq, input={"n": seq}) for seq in range(1, MANY + 1)]
    create(store, run, tasks=tasks)
    assert load(store).tasks == tuple(tasks)
    done = [msgspec.structs.replace(task, status=TaskStatus.COMPLETED) for task in tasks]
    save(store, Save(workflow=change(run), loaded_version=1, updated=done))
    assert load(store).tasks == tuple(done)


def test_of_a_run_that_has_moved_on_no_slice_is_written(store: Store) -> None:
    run, stale = a_run("run"), a_run("stale")
    create(store, run, stale, tasks=[a_task("stale")])
    save(store, Save(workflow=change(stale), loaded_version=1))
    saves = [
        Save(workflow=change(run), loaded_version=1, inserted=[a_task("run", seq) for seq in range(1, SLICE)]),
        Save(
            workflow=change(stale),
            loaded_version=1,
            inserted=[a_task("stale", seq) for seq in range(2, SLICE)],
            updated=[a_task("stale", reason="again")],
        ),
    ]
    assert save(store, *saves) == {"run"}
    assert len(load(store, "run").tasks) == SLICE - 1
    assert load(store, "stale").tasks == (a_task("stale"),)


def test_what_the_rows_of_a_run_repeat_is_kept_once(store: Store) -> None:
    create(store, a_run(), tasks=[a_task(seq=seq, parent=5_000, scheduled_at=MOMENT) for seq in (1, 2)])
    one, other = load(store).tasks
    for field in ("workflow_id", "type", "name", "queue", "parent", "scheduled_at"):
        assert getattr(one, field) is getattr(other, field), field
