"""What runs have been is kept beside their rows, and goes with them when they are removed."""

from __future__ import annotations

import msgspec

from engine.clock import Instant
from engine.model.earlier import EarlierRound
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.history_port import RemovedRun
from engine.store.port import LoggedRequest, Save, Store
from engine.store.worker_port import LogLine
from tests.conformance.store.runs import MOMENT, a_run, a_task, change, create, load, save


def a_round(number: int, run, *tasks) -> EarlierRound:
    return EarlierRound(number=number, at=Instant(MOMENT + number), workflow=run, tasks=tasks)


def test_tasks_of_an_earlier_round_are_no_rows_of_the_run_any_more(store: Store) -> None:
    run = a_run(output={"v": "ü\ud800\0"}, failed_refs=("pack_2",), unconfirmed=[["e", 1, []]])
    first, second = a_task(), a_task(seq=2, status=TaskStatus.FAILED, input={"n": 1.5}, reason="no luck")
    create(store, run, tasks=[first, second])
    again = change(run, output={}, last_seq=3)
    save(store, Save(workflow=again, loaded_version=1, inserted=[a_task(seq=3)], earlier=a_round(2, run, second)))
    assert [task.seq for task in load(store).tasks] == [1, 3]
    with store.transaction() as transaction:
        (kept,) = transaction.earlier_rounds("run")
    assert (kept.number, kept.at, kept.tasks) == (2, MOMENT + 2, (second,))
    assert msgspec.structs.replace(kept.workflow, output={}) == msgspec.structs.replace(run, output={}, unconfirmed=())


def test_rounds_are_read_in_their_order_and_each_with_its_tasks(store: Store) -> None:
    run = a_run()
    create(store, run, a_run("other"), tasks=[a_task(seq=seq) for seq in range(1, 12)])
    for number, gone in ((2, (a_task(seq=2), a_task(seq=10))), (3, ()), (10, (a_task(seq=3),))):
        run = msgspec.structs.replace(run, version_no=number)
        save(
            store,
            Save(workflow=run, loaded_version=load(store).workflow.version_no, earlier=a_round(number, run, *gone)),
        )
    with store.transaction() as transaction:
        found = [(each.number, [task.seq for task in each.tasks]) for each in transaction.earlier_rounds("run")]
        assert transaction.earlier_rounds("other") == ()
    assert found == [(2, [2, 10]), (3, []), (10, [3])]


def test_a_round_is_kept_only_over_the_version_that_it_was_decided_from(store: Store) -> None:
    run, task = a_run(), a_task()
    create(store, run, tasks=[task])
    assert save(store, Save(workflow=change(run), loaded_version=7, earlier=a_round(2, run, task))) == set()
    with store.transaction() as transaction:
        assert transaction.earlier_rounds("run") == ()
    assert load(store).tasks == (task,)


def test_forgotten_tasks_are_deleted_only_over_the_version_that_it_was_decided_from(store: Store) -> None:
    run = a_run()
    create(store, run, a_run("other"), tasks=[*(a_task(seq=seq) for seq in range(1, 5)), a_task("other")])
    assert save(store, Save(workflow=change(run), loaded_version=7, forgotten=(1, 2))) == set()
    assert len(load(store).tasks) == 4
    save(store, Save(workflow=change(run), loaded_version=1, updated=[a_task(seq=3, worker="w")], forgotten=(1, 2)))
    assert [(task.seq, task.worker) for task in load(store).tasks] == [(3, "w"), (4, None)]
    assert len(load(store, "other").tasks) == 1
    with store.transaction() as transaction:
        assert transaction.earlier_rounds("run") == ()


def test_the_logs_of_forgotten_tasks_go_with_them(store: Store) -> None:
    run = a_run()
    create(store, run, a_run("other"), tasks=[a_task(), a_task(seq=2), a_task("other")])
    with store.transaction() as transaction:
        transaction.add_log_lines(
            [
                LogLine(workflow_id=run_id, seq=seq, text=f"{run_id} {seq}", at=MOMENT)
                for run_id, seq in (("run", 1), ("run", 2), ("other", 1))
            ]
        )
    save(store, Save(workflow=change(run), loaded_version=1, forgotten=(1,)))
    with store.transaction() as transaction:
        found = [transaction.log_lines(*task) for task in (("run", 1), ("run", 2), ("other", 1))]
    assert [[line.text for line in lines] for lines in found] == [[], ["run 2"], ["other 1"]]


def test_nothing_of_a_removed_run_stays_but_what_was_archived(store: Store) -> None:
    run, task = a_run(), a_task()
    create(store, run, a_run("other"), tasks=[task, a_task("other")])
    save(store, Save(workflow=change(run), loaded_version=1, earlier=a_round(2, run, task)))
    request = Request(event_id="e", workflow_id="run", verb="pause")
    with store.transaction() as transaction:
        transaction.log_requests([LoggedRequest(request, Outcome(granted=True), MOMENT)])
    removed = RemovedRun(workflow_id="run", at=MOMENT, document={"status": "COMPLETED"})
    assert save(store, Save(workflow=change(change(run)), loaded_version=2, removed=removed)) == {"run"}
    with store.transaction() as transaction:
        assert set(transaction.load(["run", "other"])) == {"other"}
        assert transaction.earlier_rounds("run") == ()
        assert transaction.requests("run") == ()
        assert transaction.removed_run("run") == removed
        assert transaction.removed_run("other") is None


def test_a_run_may_be_removed_and_come_again(store: Store) -> None:
    for document in (None, {"second": True}):
        create(store, a_run())
        removed = RemovedRun(workflow_id="run", at=MOMENT, document=document)
        save(store, Save(workflow=change(a_run()), loaded_version=1, removed=removed))
        with store.transaction() as transaction:
            assert transaction.removed_run("run") == removed


def test_large_payloads_of_earlier_rounds_come_back(store: Store) -> None:
    run, task = a_run(output={"v": "x" * 100_000}), a_task(input={"v": "y" * 100_000})
    create(store, run, tasks=[task])
    loaded = load(store)
    save(
        store,
        Save(workflow=change(run), loaded_version=1, earlier=a_round(2, loaded.workflow, *loaded.tasks)),
    )
    with store.transaction() as transaction:
        (kept,) = transaction.earlier_rounds("run")
    assert (kept.workflow.output, kept.tasks[0].input) == (run.output, task.input)


def test_runs_that_ended_before_a_moment_are_found_and_none_whose_parent_is_there(store: Store) -> None:
    done = {"status": WorkflowStatus.COMPLETED, "created_at": MOMENT}
    create(
        store,
        a_run("late", **done, ended_at=MOMENT + 20),
        a_run("second", **{**done, "created_at": MOMENT + 1}, ended_at=MOMENT + 2),
        a_run("first", **done, ended_at=MOMENT + 3),
        a_run("open", created_at=MOMENT),
        a_run("child", **done, ended_at=MOMENT + 1, parent_id="open", parent_task_id="open.1"),
        a_run("orphan", **{**done, "created_at": MOMENT + 2}, ended_at=MOMENT + 3, parent_id="gone"),
    )
    with store.transaction() as transaction:
        assert transaction.ended_before(MOMENT + 10, 10) == ("first", "second", "orphan")
        assert transaction.ended_before(MOMENT + 10, 1) == ("first",)
        assert transaction.ended_before(MOMENT, 10) == ()


def test_archives_are_forgotten_and_that_a_run_was_removed_is_not(store: Store) -> None:
    for number, identity in enumerate("abc"):
        run = a_run(identity)
        create(store, run)
        removed = RemovedRun(workflow_id=identity, at=Instant(MOMENT + number), document={"of": identity})
        save(store, Save(workflow=change(run), loaded_version=1, removed=removed))
    with store.transaction() as transaction:
        assert transaction.forget_archives(Instant(MOMENT + 2), 1) == 1
        assert transaction.forget_archives(Instant(MOMENT + 2), 10) == 1
        assert transaction.forget_archives(Instant(MOMENT + 2), 10) == 0
        kept = [transaction.removed_run(identity) for identity in "abc"]
    assert [each is not None and each.document for each in kept] == [None, None, {"of": "c"}]
