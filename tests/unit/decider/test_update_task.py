"""UPDATE_TASK: a task that ends another one, in any run (Orkes)."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from engine.model.event import Wake
from engine.wire.request_message import encode_wake
from tests.unit.decider.steps import child, echo, fork, inputs, loop, run_of, step
from tests.unit.road.line import Line


def update(ref="u", **parameters):
    return step(ref, "UPDATE_TASK", **inputs(taskStatus="COMPLETED", **parameters))


@pytest.fixture
def other(harness):
    """A run that waits."""
    harness.register({"name": "other", "tasks": [step("w", "WAIT")]})
    return harness.start("other")


def test_it_ends_the_task_of_another_run_and_hears_of_it(harness, other):
    run = run_of(harness, update(workflowId=other, taskRefName="w", taskOutput={"n": 1}), step("after"))
    assert harness.task(other, "w").output == {"n": 1}
    assert harness.run(other).status == "COMPLETED"
    assert harness.task(run, "u").output == {"taskId": f"{other}.1", "applied": True}
    assert harness.statuses(run) == {"u": "COMPLETED", "after": "SCHEDULED"}


def test_a_task_may_be_named_by_its_id_alone(harness, other):
    run = run_of(harness, update(taskId=f"{other}.1"))
    assert harness.run(other).status == "COMPLETED"
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(("merge", "output"), [(True, {"a": 1, "b": 2}), (False, {"b": 2}), (None, {"b": 2})])
def test_the_output_is_merged_only_where_that_is_wanted(harness, other, merge, output):
    harness.request(other, "update_task", ref="w", status="IN_PROGRESS", output={"a": 1})
    wanted = {} if merge is None else {"mergeOutput": merge}
    run_of(harness, update(workflowId=other, taskRefName="w", taskOutput={"b": 2}, **wanted))
    assert harness.task(other, "w").output == output


def test_without_a_run_it_means_its_own(harness):
    run = run_of(harness, *fork("f", [step("w", "WAIT")], [step("first"), update(taskRefName="w")]))
    harness.work({"first": echo})
    assert harness.run(run).status == "COMPLETED"


def test_it_may_fail_the_other_task(harness, other):
    fields = {**inputs(workflowId=other, taskRefName="w", taskStatus="FAILED", reasonForIncompletion="no stock")}
    run = run_of(harness, step("u", "UPDATE_TASK", **fields))
    assert harness.task(other, "w").reason == "no stock"
    assert harness.run(other).status == "FAILED"
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workflowId": "nobody", "taskRefName": "w"}, "No such workflow"),
        ({"workflowId": "run-1", "taskRefName": "x"}, "No task x"),
        ({"taskId": "run-1.9"}, "No task"),
    ],
)
def test_where_there_is_no_such_task_it_fails_and_says_so(harness, other, given, words):
    run = run_of(harness, update(**given))
    assert harness.task(run, "u").status == "FAILED"
    assert words in harness.task(run, "u").reason


def test_a_task_that_has_ended_cannot_be_ended_again(harness, other):
    harness.request(other, "signal")
    run = run_of(harness, update(taskId=f"{other}.1"))
    assert "has ended already (COMPLETED)" in harness.task(run, "u").reason


def test_a_further_attempt_asks_again(harness, other):
    definition = {"name": "u", "retryCount": 1, "retryDelaySeconds": 5}
    harness.register({"name": "late", "tasks": [step("first"), step("w", "WAIT")]})
    late = harness.start("late")
    run = run_of(harness, update(workflowId=late, taskRefName="w"), defs=[definition])
    harness.work({"first": echo})
    harness.advance(5)
    assert [task.status for task in harness.rows(run).tasks] == ["FAILED", "COMPLETED"]


def test_in_a_loop_each_one_asks_for_itself(harness):
    body = fork("f", [step("w", "WAIT")], [update(taskRefName="w")])
    run = run_of(harness, loop("l", "$.l.iteration < 3", *body))
    assert harness.run(run).status == "COMPLETED"
    assert harness.task(run, "u__3").output["taskId"] == harness.task(run, "w__3").id


def test_in_a_sub_workflow_it_may_end_what_its_parent_waits_for(harness):
    ends = update(workflowId="${workflow.input.run}", taskRefName="w")
    harness.register({"name": "inner", "tasks": [ends]})
    given = {"subWorkflowParam": {"name": "inner"}, **inputs(run="${workflow.workflowId}")}
    run = run_of(harness, *fork("f", [step("w", "WAIT")], [child("c", "inner", **given)]))
    assert harness.run(run).status == "COMPLETED"


@pytest.mark.parametrize("lost", range(4))
def test_whichever_message_is_lost_the_other_task_ends_once_and_the_answer_comes(harness, lost):
    harness.register({"name": "many", "tasks": [loop("l", "$.l.iteration < 5", step("w", "WAIT"))]})
    many, line = harness.start("many"), Line(harness)
    harness.register({"name": "flow", "tasks": [update(workflowId=many, taskRefName="w"), step("after")]})
    try:
        with line.cut(after=lost):
            harness.start("flow")
    except AssertionError:
        assert lost == 3, "there were fewer messages than were to be lost"
    harness.restart_decider()
    assert harness.statuses("run-2") == {"u": "COMPLETED", "after": "SCHEDULED"}
    assert harness.statuses(many)["w__2"] == "IN_PROGRESS"
    assert "w__3" not in harness.statuses(many)


def test_what_the_broker_has_lost_is_asked_again(harness, other):
    harness.register({"name": "flow", "tasks": [update(workflowId=other, taskRefName="w")]})
    publish, lost = harness.road.publish, []
    harness.road.publish = lost.extend
    harness.start("flow")
    harness.road.publish = publish
    assert harness.task("run-2", "u").status == "IN_PROGRESS"
    harness.publish(encode_wake(Wake(event_id="again", workflow_id="run-2", resend=True), 1))
    assert harness.run("run-2").status == "COMPLETED"


def test_an_answer_that_the_broker_has_lost_is_given_again(harness, other):
    harness.register({"name": "flow", "tasks": [update(workflowId=other, taskRefName="w")]})
    publish = harness.road.publish
    # Given a broker that has confirmed the answer and then lost its disk
    harness.road.publish = lambda messages: publish([each for each in messages if not _is_answer(each)])
    harness.start("flow")
    harness.road.publish = publish
    assert harness.task("run-2", "u").status == "IN_PROGRESS"
    harness.publish(encode_wake(Wake(event_id="again", workflow_id="run-2", resend=True), 1))
    assert harness.run("run-2").status == "COMPLETED"


def test_an_answer_that_was_lost_is_given_again_when_the_row_has_forgotten_the_question(harness):
    harness.register({"name": "other", "tasks": [step("w", "WAIT"), step("after", "WAIT")]})
    asked = harness.start("other")
    harness.register({"name": "flow", "tasks": [update(workflowId=asked, taskRefName="w")]})
    publish = harness.road.publish
    harness.road.publish = lambda messages: publish([each for each in messages if not _is_answer(each)])
    harness.start("flow")
    harness.road.publish = publish
    # Given saves that drop the note of what was confirmed
    harness.request(asked, "update_variables", variables={"n": 1})
    harness.request(asked, "update_variables", variables={"n": 2})
    harness.publish(encode_wake(Wake(event_id="again", workflow_id="run-2", resend=True), 1))
    assert harness.run("run-2").status == "COMPLETED"
    assert harness.task("run-2", "u").output == {"taskId": f"{asked}.1", "applied": True}


def _is_answer(message):
    return b'"taskId"' in message.body and b'"answerTo"' not in message.body


def test_its_time_limit_holds_while_it_waits_for_the_answer(harness):
    limits = {"timeoutSeconds": 30, "responseTimeoutSeconds": 30, "timeoutPolicy": "TIME_OUT_WF", "retryCount": 0}
    harness.register({"name": "flow", "tasks": [update(taskRefName="w")]}, tasks=[{"name": "u", **limits}])
    publish = harness.road.publish
    harness.road.publish = lambda _: None
    run = harness.start("flow")
    harness.road.publish = publish
    harness.advance(30)
    assert harness.run(run).status == "TIMED_OUT"


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"taskStatus": "COMPLETED"}, "taskRefName"),
        ({"taskRefName": "w"}, "taskStatus"),
        ({"taskRefName": "w", "taskStatus": "DONE"}, "taskStatus"),
    ],
)
def test_what_cannot_be_meant_is_refused(harness, parameters, path):
    with pytest.raises(BadDefinition, match=path):
        run_of(harness, step("u", "UPDATE_TASK", **inputs(**parameters)))


@pytest.mark.parametrize(
    "given", [{"s": "DONE", "r": "w"}, {"s": "COMPLETED"}, {"s": "COMPLETED", "r": "w", "w": "no / id"}]
)
def test_what_is_found_out_at_run_time_fails_it_for_good(harness, given):
    names = {"taskStatus": "s", "taskRefName": "r", "workflowId": "w"}
    parameters = {name: f"${{workflow.input.{key}}}" for name, key in names.items()}
    run = run_of(harness, step("u", "UPDATE_TASK", **inputs(**parameters)), given=given)
    assert harness.task(run, "u").status == "FAILED_WITH_TERMINAL_ERROR"
