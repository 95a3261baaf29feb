"""HTTP_POLL: the same call again and again, with pauses, until its condition holds."""

from __future__ import annotations

import msgspec
import pytest

from engine.errors import BadDefinition
from engine.testing.harness import result_message
from tests.unit.decider.steps import fails, inputs, run_of, step

QUEUE = "system.http_poll"
CONDITION = "$.output.response.body.ready"


def poll(ref="p", **fields):
    request = {"uri": "http://example.test/", "method": "GET", "terminationCondition": CONDITION, **fields}
    return step(ref, "HTTP_POLL", **inputs(http_request=request))


def answers(harness, condition, number=0):
    """Return the answers to the calls that are to be made: a number, and what the condition comes to."""
    result = {"response": {"body": number}, "condition": condition}
    return [
        result_message(
            each,
            {
                "task_id": str(each.message.headers["id"]),
                "status": "SUCCESS",
                "result": {**result, "call": each.message.headers.get("calls", 0)},
                "traceback": None,
                "children": [],
            },
        )
        for each in harness.take(QUEUE)
    ]


def call(harness, condition, number=0):
    """Make the calls that are to be made now; return how many there were."""
    found = answers(harness, condition, number)
    harness.publish(*found)
    return len(found)


def test_it_ends_with_the_answer_for_which_the_condition_holds(harness):
    run = run_of(harness, poll(pollingInterval=10), step("after"))
    for number in range(3):
        assert call(harness, False, number) == 1
        task = harness.task(run, "p")
        assert (task.status, task.polls, task.callback_after_seconds) == ("SCHEDULED", number + 1, 10)
        assert task.output == {"response": {"body": number}}
        harness.restart_decider()
        harness.advance(9.999)
        assert call(harness, True) == 0
        harness.advance(0.001)
    call(harness, True, 7)
    assert harness.task(run, "p").output == {"response": {"body": 7}}
    assert harness.statuses(run) == {"p": "COMPLETED", "after": "SCHEDULED"}


def test_two_calls_with_the_same_answer_are_two_calls(harness):
    run = run_of(harness, poll(pollingInterval=1))
    for _ in range(5):
        assert call(harness, False, 3) == 1
        harness.advance(1)
    assert harness.task(run, "p").polls == 5


@pytest.mark.parametrize(
    ("strategy", "pauses"),
    [(None, [5, 5, 5]), ("FIXED", [5, 5, 5]), ("LINEAR_BACKOFF", [5, 10, 15]), ("EXPONENTIAL_BACKOFF", [5, 10, 20])],
)
def test_the_pauses_grow_as_the_strategy_says(harness, strategy, pauses):
    run = run_of(harness, poll(pollingInterval="5", **({"pollingStrategy": strategy} if strategy else {})))
    for number, pause in enumerate(pauses):
        call(harness, False, number)
        assert harness.task(run, "p").callback_after_seconds == pause
        harness.advance(pause)


def test_without_an_interval_a_minute_lies_between_two_calls(harness):
    run = run_of(harness, poll())
    call(harness, False)
    assert harness.task(run, "p").callback_after_seconds == 60


@pytest.mark.parametrize(("condition", "ends"), [(1, "COMPLETED"), (0.5, "COMPLETED"), (-1, "FAILED")])
def test_a_number_ends_it_well_or_badly(harness, condition, ends):
    run = run_of(harness, poll())
    call(harness, condition)
    assert harness.run(run).status == ends


@pytest.mark.parametrize("condition", [0, None, "yes", [], {}])
def test_what_is_neither_true_nor_a_number_above_zero_asks_again(harness, condition):
    run = run_of(harness, poll())
    call(harness, condition)
    assert harness.task(run, "p").status == "SCHEDULED"


def test_after_so_many_calls_the_attempt_fails_and_a_further_one_counts_anew(harness):
    given = {**poll(pollingInterval=1, maxPollCount=2), "retryCount": 1}
    run = run_of(harness, given, defs=[{"name": "p", "retryCount": 1, "retryDelaySeconds": 0}])
    for number in range(2):
        call(harness, False, number)
        harness.advance(1)
    assert [task.status for task in harness.rows(run).tasks] == ["FAILED", "SCHEDULED"]
    assert "after 2 calls" in harness.rows(run).tasks[0].reason
    call(harness, True, 9)
    assert harness.run(run).status == "COMPLETED"


def test_a_call_that_fails_is_a_failed_attempt(harness):
    run = run_of(harness, poll(), defs=[{"name": "p", "retryCount": 0}])
    call(harness, False)
    harness.advance(60)
    harness.work({QUEUE: fails})
    assert harness.run(run).status == "FAILED"


def test_the_tasks_time_runs_also_between_the_calls(harness):
    limits = {"timeoutSeconds": 90, "responseTimeoutSeconds": 10, "timeoutPolicy": "TIME_OUT_WF", "retryCount": 0}
    run = run_of(harness, poll(pollingInterval=60), defs=[{"name": "p", **limits}])
    call(harness, False, 1)
    harness.advance(60)
    call(harness, False, 2)
    harness.advance(30)
    assert harness.run(run).status == "TIMED_OUT"
    assert "timed out after 90 seconds" in harness.run(run).reason


def test_a_run_that_is_terminated_between_two_calls_calls_no_more(harness):
    run = run_of(harness, poll())
    call(harness, False)
    harness.request(run, "terminate")
    harness.advance(1_000)
    assert harness.task(run, "p").status == "CANCELED"
    assert call(harness, True) == 0


def test_a_call_whose_pause_ends_while_the_run_is_paused_waits_for_the_resume(harness):
    run = run_of(harness, poll())
    call(harness, False)
    harness.request(run, "pause")
    harness.advance(120)
    assert call(harness, True) == 0
    harness.request(run, "resume")
    call(harness, True)
    assert harness.run(run).status == "COMPLETED"


def test_an_operator_may_end_it_or_have_it_call_at_once(harness):
    run = run_of(harness, poll())
    call(harness, False)
    harness.request(run, "reset_callbacks")
    call(harness, False, 2)
    harness.request(run, "update_task", ref="p", status="COMPLETED", output={"by": "hand"})
    assert harness.task(run, "p").output == {"response": {"body": 2}, "by": "hand"}


@pytest.mark.parametrize(
    "fields",
    [
        {"pollingInterval": 0},
        {"pollingInterval": "soon"},
        {"maxPollCount": -1},
        {"pollingStrategy": "SLOWLY"},
        {"terminationCondition": ""},
    ],
)
def test_what_cannot_be_meant_is_refused(harness, fields):
    with pytest.raises(BadDefinition, match=next(iter(fields))):
        run_of(harness, poll(**fields))


def test_an_answer_that_is_delivered_twice_leaves_one_call_to_come(harness):
    run = run_of(harness, poll(pollingInterval=5))
    again = answers(harness, False)
    harness.publish(*again)
    harness.publish(*again)
    harness.advance(5)
    late = answers(harness, False, 2)
    assert len(late) == 1
    # The answer to the first call again, by another worker who says something else, while the second one is made.
    other = msgspec.json.decode(again[0].body)
    other["result"] |= {"condition": True}
    harness.publish(msgspec.structs.replace(again[0], body=msgspec.json.encode(other)))
    assert harness.task(run, "p").polls == 1
    harness.publish(*late)
    assert harness.task(run, "p").output == {"response": {"body": 2}}
    assert harness.task(run, "p").polls == 2


def test_what_is_found_out_at_run_time_fails_the_task_for_good(harness):
    run = run_of(harness, poll(pollingInterval="${workflow.input.often}"), given={"often": "never"})
    assert harness.task(run, "p").status == "FAILED_WITH_TERMINAL_ERROR"
    assert "pollingInterval" in harness.task(run, "p").reason
