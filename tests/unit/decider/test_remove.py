"""A run that has ended can be removed; what is archived of it can be read, and nobody waits for it in vain."""

from __future__ import annotations

import pytest

from engine.model.event import Wake
from engine.wire.request_message import encode_wake
from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import child, echo, fails_for_good, fork, loop, run_of, step


def removed(harness, run):
    with harness.store.transaction() as transaction:
        assert run not in transaction.load([run])
        return transaction.removed_run(run)


def test_a_run_that_has_ended_is_removed_and_archived(harness):
    run = run_of(harness, step("a"), step("b"), given={"secret": "s"}, maskedFields=["secret"])
    harness.work({"a": fails_for_good})
    harness.request(run, "restart")
    harness.work({"a": echo, "b": echo})
    assert harness.request(run, "remove").granted
    document = removed(harness, run).document
    assert (document["status"], document["archived"], document["input"]) == ("COMPLETED", True, {"secret": "***"})
    assert [task["referenceTaskName"] for task in document["tasks"]] == ["a", "b"]
    assert [each["status"] for each in document["history"]] == ["FAILED"]
    assert [each["request"] for each in document["requests"]] == ["restart"]


def test_without_an_archive_only_that_it_was_removed_is_kept(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": echo})
    assert harness.request(run, "remove", archiveWorkflow=False).granted
    assert removed(harness, run).document is None
    with harness.store.transaction() as transaction:
        assert [line.request.verb for line in transaction.requests(run)] == ["remove"]


@pytest.mark.parametrize(("archive", "code"), [(True, 400), (False, 409)])
def test_an_open_run_is_not_removed(harness, archive, code):
    run = run_of(harness, step("a"))
    outcome = harness.request(run, "remove", archiveWorkflow=archive)
    assert outcome.code == code
    assert not archive or outcome.message == f"Cannot archive workflow: {run} with status: RUNNING"
    assert harness.run(run).status == "RUNNING"


def test_what_comes_late_for_a_removed_run_is_dropped_and_counted(harness):
    run = run_of(harness, *fork("f", [step("a")], [step("b")]))
    (late,) = harness.take("b")
    harness.work({"a": fails_for_good})
    harness.request(run, "remove")
    unknown = harness.executor.counts.unknown
    harness.publish(harness._result(late, echo))
    harness.publish(encode_wake(Wake(event_id="w", workflow_id=run), 1))
    assert harness.executor.counts.unknown == unknown + 2
    assert harness.request(run, "pause").code == 404


def test_a_removed_run_may_be_started_again(harness):
    run = run_of(harness, step("a"))
    harness.work({"a": echo})
    harness.request(run, "remove")
    harness.start("flow", workflow_id=run)
    harness.work({"a": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_parent_keeps_what_its_removed_child_has_said(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, child("c", "kid"), step("after"))
    kid = harness.task(run, "c").child_id
    harness.work({"k": echo})
    harness.request(kid, "remove")
    assert harness.request(run, "rerun", reRunFromTaskId=f"{kid}.1").code == 409
    harness.work({"after": fails_for_good})
    assert harness.request(run, "rerun", reRunFromTaskId=f"{kid}.1").code == 400
    harness.request(run, "rerun", reRunFromTaskId=harness.task(run, "after").id)
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_parent_whose_child_is_gone_fails_when_it_asks_it_to_go_on(harness):
    harness.register({"name": "kid", "tasks": [step("k")]})
    run = run_of(harness, child("c", "kid"))
    kid = harness.task(run, "c").child_id
    harness.work({"k": fails_for_good})
    harness.request(kid, "remove")
    harness.advance(1)
    assert harness.request(run, "retry", resumeSubworkflowTasks=True).granted
    assert harness.run(run).status == "FAILED"
    harness.advance(1)
    assert harness.request(run, "retry").granted
    harness.work({"k": echo})
    assert harness.run(run).status == "COMPLETED"


def test_a_failure_workflow_that_was_removed_is_not_started_again(harness):
    harness.register({"name": "mend", "tasks": [step("m")]})
    run = run_of(harness, step("a"), failureWorkflow="mend")
    harness.work({"a": fails_for_good, "m": echo})
    started = harness.run(run).failure_workflow_id
    harness.request(started, "remove")
    with harness.store.transaction() as transaction:
        assert transaction.unstarted_failure_workflows("", 10) == ()


# decide


def test_a_run_that_is_looked_at_afresh_goes_on_as_it_was(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 2", *fork("f", [step("a")], [step("b")])), step("after"))
    harness.work({"a": echo})
    before = harness.statuses(run)
    assert harness.request(run, "decide").granted
    assert harness.statuses(run) == before
    assert_remembered_as_stored(harness, run)
    harness.work({"a": echo, "b": echo, "after": echo})
    assert harness.run(run).status == "COMPLETED"
    assert harness.request(run, "decide").granted
    assert harness.run(run).status == "COMPLETED"


def test_a_paused_run_stays_so_when_it_is_looked_at(harness):
    run = run_of(harness, step("a"), step("b"))
    harness.request(run, "pause")
    harness.work({"a": echo})
    harness.request(run, "decide")
    assert (harness.run(run).status, harness.statuses(run)) == ("PAUSED", {"a": "COMPLETED"})


def test_a_run_with_the_id_of_a_removed_one_is_never_taken_for_that_one(harness):
    harness.register({"name": "flow", "tasks": [step("a")]})
    harness.start("flow", workflow_id="again")
    harness.work({"a": echo})
    last = harness.run("again").version_no
    harness.request("again", "remove")
    # However soon it comes, whoever still has the first one has it in another version.
    harness.advance(0.001)
    harness.start("flow", workflow_id="again")
    assert harness.run("again").version_no > last
