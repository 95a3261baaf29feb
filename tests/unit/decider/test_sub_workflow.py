"""SUB_WORKFLOW and START_WORKFLOW: runs that tasks start (Conductor 3.9, 3.10)."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.model.event import ChildEnded, StartWorkflow
from engine.model.status import WorkflowStatus
from engine.testing.harness import Harness
from engine.wire.request_message import encode_child_ended
from engine.wire.start_message import encode_start
from tests.unit.decider.steps import child, echo, fails, fails_for_good, fork, inputs, loop, run_of, step


@pytest.fixture
def kid(harness):
    harness.register(
        {"name": "kid", "version": 2, "tasks": [step("k", retryCount=0)], "outputParameters": {"r": "${k.output}"}}
    )


def launched(ref="s", **request):
    return step(ref, "START_WORKFLOW", **inputs(startWorkflow=request))


def test_the_child_gets_the_tasks_input_and_its_output_comes_back(harness, kid):
    run = run_of(harness, child("c", "kid", **inputs(n=1)), step("after", **inputs(r="${c.output.r}")))
    task = harness.task(run, "c")
    assert task.status == "IN_PROGRESS"
    assert harness.run(task.child_id).input == {"n": 1}
    harness.work({"k": lambda _: {"v": 2}})
    assert harness.task(run, "c").output == {"subWorkflowId": task.child_id, "r": {"v": 2}}
    assert harness.task(run, "after").input == {"r": {"v": 2}}


def test_the_tasks_input_names_all_that_the_child_was_asked_for(harness, kid):
    run = run_of(harness, child("c", "kid", **inputs(n=1)))
    assert harness.task(run, "c").input == {
        "workflowInput": {"n": 1},
        "subWorkflowName": "kid",
        "subWorkflowVersion": 2,
        "subWorkflowTaskToDomain": None,
        "subWorkflowDefinition": None,
        "priority": None,
        "idempotencyKey": None,
        "idempotencyStrategy": None,
    }


def test_a_failing_child_fails_the_task_with_its_reason(harness, kid):
    run = run_of(harness, child("c", "kid"))
    identity = harness.task(run, "c").child_id
    harness.work({"k": fails})
    assert harness.task(run, "c").status == "FAILED"
    assert harness.task(run, "c").reason.startswith(f"Sub workflow kid.2/{identity} failure reason: Task {identity}.1")
    assert harness.run(run).status == "FAILED"


def test_a_terminated_child_cancels_the_task_and_terminates_the_run(harness, kid):
    run = run_of(harness, child("c", "kid"))
    harness.request(harness.task(run, "c").child_id, "terminate", reason="no need")
    assert harness.task(run, "c").status == "CANCELED"
    assert harness.run(run).status == "TERMINATED"


def test_a_child_that_times_out_times_the_task_out(harness):
    harness.register(
        {"name": "slow", "tasks": [step("h", "HUMAN")], "timeoutSeconds": 5, "timeoutPolicy": "TIME_OUT_WF"}
    )
    run = run_of(harness, child("c", "slow"))
    harness.advance(5)
    assert harness.task(run, "c").status == "TIMED_OUT"
    assert harness.run(run).status == "TIMED_OUT"


def test_an_optional_child_may_fail(harness, kid):
    run = run_of(harness, *fork("f", [child("c", "kid", optional=True)]), step("after"))
    harness.work({"k": fails})
    assert harness.task(run, "c").status == "COMPLETED_WITH_ERRORS"
    assert "after" in harness.statuses(run)


def test_every_attempt_of_the_task_has_a_child_of_its_own(harness, kid):
    run = run_of(harness, child("c", "kid", retryCount=1))
    first = harness.task(run, "c").child_id
    harness.work({"k": fails})
    harness.advance(60)
    second = harness.task(run, "c")
    assert second.child_id != first
    assert second.input["workflowInput"] == {}
    harness.work({"k": echo})
    assert harness.run(run).status == "COMPLETED"


def test_terminating_a_run_terminates_its_children_and_theirs(harness, kid):
    harness.register({"name": "middle", "tasks": [child("m", "kid")]})
    run = run_of(harness, child("c", "middle"))
    middle = harness.task(run, "c").child_id
    deepest = harness.task(middle, "m").child_id
    harness.request(run, "terminate", reason="enough")
    assert [harness.run(each).status for each in (run, middle, deepest)] == ["TERMINATED"] * 3
    assert harness.run(middle).reason == "Parent workflow has been terminated with reason: enough"


def test_a_run_that_fails_terminates_the_children_beside(harness, kid):
    run = run_of(harness, *fork("f", [child("c", "kid")], [step("b")]))
    harness.work({"b": fails_for_good})
    assert harness.run(harness.task(run, "c").child_id).status == "TERMINATED"
    assert harness.run(run).status == "FAILED"


def test_giving_up_a_child_does_not_rewrite_how_it_ended(harness, kid):
    run = run_of(harness, child("c", "kid"))
    identity = harness.task(run, "c").child_id
    harness.work({"k": fails})
    assert harness.request(identity, "terminate", reason="late", onlyIfOpen=True).granted
    assert harness.run(identity).status == "FAILED"


@pytest.fixture
def slow_starts(harness, kid):
    """The line of starts is not served until the returned function is called; a parent is started past it."""
    harness.road.cancel("baton.start")

    def serve() -> None:
        harness.road.consume("baton.start", 100)
        harness.carry()

    return serve


def start_past_the_line(harness, *tasks):
    harness.register({"name": "flow", "tasks": list(tasks)})
    start = StartWorkflow(event_id="start", workflow_id="run", name="flow")
    harness.publish(encode_start(start, queue="baton.events.0"))
    return "run"


def test_a_child_that_starts_after_it_was_given_up_is_ended_again(harness, slow_starts):
    run = start_past_the_line(harness, child("c", "kid"))
    task = harness.task(run, "c")
    assert task.status == "SCHEDULED"
    harness.request(run, "terminate")
    slow_starts()
    assert harness.run(task.child_id).status == "TERMINATED"


def test_a_child_that_ends_before_the_news_of_its_start_is_one_that_has_ended(harness, slow_starts):
    run = start_past_the_line(harness, child("c", "kid"))
    task = harness.task(run, "c")
    ended = ChildEnded(
        event_id="e", workflow_id=run, seq=1, child_id=task.child_id, status=WorkflowStatus.COMPLETED, output={"r": 1}
    )
    harness.publish(encode_child_ended(ended, 1))
    slow_starts()
    assert harness.task(run, "c").output == {"subWorkflowId": task.child_id, "r": 1}
    assert harness.run(task.child_id).status == "RUNNING"


def test_an_unknown_child_fails_the_task(harness):
    run = run_of(harness, child("c", "nobody"))
    assert "No such workflow defined. name=nobody" in harness.run(run).reason


def test_an_unknown_version_fails_the_task(harness, kid):
    run = run_of(harness, child("c", "kid", subWorkflowParam={"name": "kid", "version": 9}))
    assert "No such workflow defined. name=kid, version=9" in harness.run(run).reason


def test_the_version_is_settled_when_the_parent_starts(harness, kid):
    run = run_of(harness, step("a"), child("c", "kid"))
    harness.register({"name": "kid", "version": 3, "tasks": [step("other")]})
    harness.work({"a": echo})
    assert harness.run(harness.task(run, "c").child_id).version == 2


@pytest.mark.parametrize("definition", [{"name": "inner", "tasks": [step("i")]}, "${workflow.input.def}"])
def test_a_child_may_be_written_out(harness, definition):
    param = {"name": "inner", "version": 1, "workflowDefinition": definition}
    given = {"def": {"name": "inner", "tasks": [step("i")]}}
    run = run_of(harness, step("c", "SUB_WORKFLOW", subWorkflowParam=param, **inputs(n=1)), given=given)
    inner = harness.run(harness.task(run, "c").child_id)
    assert (inner.name, inner.input) == ("inner", {"n": 1, "_systemMetadata": {"dynamic": True}})


def test_a_written_out_child_with_mistakes_fails_the_task_with_all_of_them(harness):
    param = {"name": "inner", "workflowDefinition": {"name": "inner", "tasks": []}}
    run = run_of(harness, step("c", "SUB_WORKFLOW", subWorkflowParam=param))
    assert "at least one task" in harness.run(run).reason


def test_in_a_written_out_child_an_expression_that_finds_nothing_is_null(harness):
    param = {"name": "inner", "workflowDefinition": {"name": "inner", "tasks": [step("i", **inputs(v="${nobody.x}"))]}}
    run = run_of(harness, step("c", "SUB_WORKFLOW", subWorkflowParam=param))
    assert harness.task(harness.task(run, "c").child_id, "i").input == {"v": None}


def test_correlation_and_domains_are_inherited_and_priority_is_not(harness, kid):
    harness.register({"name": "flow", "tasks": [child("c", "kid")]})
    run = harness.start("flow", correlation_id="order 7", task_to_domain={"k": "gpu"}, priority=40)
    inner = harness.run(harness.task(run, "c").child_id)
    assert (inner.correlation_id, inner.task_to_domain, inner.priority) == ("order 7", {"k": "gpu"}, 0)
    assert harness.task(inner.id, "k").queue == "gpu:k"


def test_a_priority_may_be_given(harness, kid):
    run = run_of(
        harness, child("c", "kid", subWorkflowParam={"name": "kid", "priority": "${workflow.input.p}"}), given={"p": 30}
    )
    assert harness.run(harness.task(run, "c").child_id).priority == 30
    assert harness.take("k")[0].message.priority == 3


@pytest.mark.parametrize("priority", [-1, 100, 1e9])
def test_a_priority_out_of_range_fails_the_task(harness, kid, priority):
    run = run_of(harness, child("c", "kid", subWorkflowParam={"name": "kid", "priority": int(priority)}))
    assert "priority" in harness.run(run).reason


def test_a_workflow_that_starts_itself_is_stopped_at_the_depth_limit():
    harness = Harness(settings=Settings(max_depth=5))
    harness.register({"name": "flow", "tasks": [child("c", "flow")]})
    run = harness.start("flow")
    assert harness.run(run).status == "FAILED"
    assert harness.executor.counts.starts == 6
    assert "5" in harness.run(run).reason and "BATON_MAX_DEPTH" in harness.run(run).reason


def test_a_child_in_a_loop_is_a_new_one_each_time(harness, kid):
    run = run_of(harness, loop("l", "$.l.iteration < 3", child("c", "kid")))
    harness.work({"k": echo})
    children = [task.child_id for task in harness.rows(run).tasks if task.child_id]
    assert len(set(children)) == 3
    assert harness.run(run).status == "COMPLETED"


def test_a_task_completed_from_outside_leaves_the_child_running(harness, kid):
    run = run_of(harness, child("c", "kid"))
    identity = harness.task(run, "c").child_id
    assert harness.request(run, "update_task", ref="c", status="COMPLETED").granted
    assert harness.run(run).status == "COMPLETED"
    assert harness.run(identity).status == "RUNNING"
    harness.work({"k": echo})
    assert harness.run(identity).status == "COMPLETED"


def test_a_launched_run_has_no_further_tie(harness, kid):
    run = run_of(harness, launched(name="kid", input={"n": 1}, correlationId="mine"))
    launched_id = harness.task(run, "s").output["workflowId"]
    assert harness.run(run).status == "COMPLETED"
    other = harness.run(launched_id)
    assert (other.status, other.input, other.correlation_id, other.parent_id) == ("RUNNING", {"n": 1}, "mine", None)


def test_a_launch_that_was_reported_on_still_hears_of_its_run(harness, slow_starts):
    run = start_past_the_line(harness, launched(name="kid"))
    assert harness.request(run, "update_task", ref="s", status="IN_PROGRESS").granted
    slow_starts()
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (None, "Missing 'startWorkflow'"),
        ({}, "Missing 'startWorkflow'"),
        ({"name": "nobody"}, "No such workflow defined"),
        ({"name": "kid", "priority": "x"}, "priority"),
    ],
)
def test_a_launch_that_cannot_be_made_fails_the_task(harness, kid, request_, words):
    run = run_of(harness, step("s", "START_WORKFLOW", **inputs(startWorkflow=request_)))
    assert harness.task(run, "s").status == "FAILED"
    assert words in harness.run(run).reason
