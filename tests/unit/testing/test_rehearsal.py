"""Rehearsals: mocked tasks, no workers, simulated time."""

from __future__ import annotations

import time

import pytest

from engine.dsl import Task, Value, do_while, each, fork, inline, jq, switch, wait, workflow
from engine.errors import BadDefinition, BadMessage, Refused
from engine.model.status import TaskStatus
from engine.testing import Answer, Harness, failed, rehearse
from engine.testing.mocks import read_script
from tests.unit.decider.steps import child, inputs, loop, step
from tests.unit.decider.steps import fork as forked

DAY = 86_400


def flow(*tasks, **fields):
    return {"name": "flow", "tasks": list(tasks), **fields}


def test_mocked_tasks_answer_and_the_run_ends():
    outcome = rehearse(
        flow(
            step("price", **inputs(lines="${workflow.input.lines}")), outputParameters={"paid": "${price.output.sum}"}
        ),
        {"lines": [1, 2]},
        {"price": lambda given: {"sum": sum(given["lines"])}},
    )

    assert (outcome.status, outcome.output, outcome.stopped) == ("COMPLETED", {"paid": 3}, None)
    assert outcome.task("price").input == {"lines": [1, 2]}


def test_attempts_take_one_mock_after_the_other_and_delays_take_no_time():
    before = time.monotonic()

    outcome = rehearse(
        flow(step("pay", taskDefinition={"name": "pay", "retryCount": 2, "retryDelaySeconds": DAY})),
        mocks={"pay": [failed("no money"), failed("still none"), {"paid": 3}]},
    )

    assert outcome.status == "COMPLETED"
    assert [task.status for task in outcome.attempts("pay")] == ["FAILED", "FAILED", "COMPLETED"]
    assert outcome.attempts("pay")[0].reason == "no money"
    assert outcome.seconds == pytest.approx(2 * DAY, abs=1)
    assert time.monotonic() - before < 60


def test_a_wait_of_thirty_days_takes_no_time():
    before = time.monotonic()

    outcome = rehearse(flow(step("w", "WAIT", **inputs(duration="30 days")), step("after", "NOOP")))

    assert (outcome.status, outcome.seconds) == ("COMPLETED", 30 * DAY)
    assert time.monotonic() - before < 60


def test_it_stops_where_a_mock_is_missing_once_nothing_else_can_go_on():
    outcome = rehearse(
        flow(*forked("f", [step("a"), step("b")], [step("c")])), mocks={"a": {}, "b": {}}, definitions=[{"name": "c"}]
    )

    assert (outcome.status, outcome.stopped) == ("RUNNING", "no mock is left for 'c'")
    assert outcome.statuses["b"] == "COMPLETED"


def test_it_stops_where_no_mock_is_left():
    outcome = rehearse(flow(loop("l", "$.l.iteration < 3", step("a"))), mocks={"a": [{"n": 1}, {"n": 2}]})

    assert outcome.stopped == "no mock is left for 'a'"
    assert [outcome.statuses[ref] for ref in ("a__1", "a__2", "a__3")] == ["COMPLETED", "COMPLETED", "SCHEDULED"]


@pytest.mark.parametrize("kind", ["HUMAN", "WAIT"])
def test_people_are_mocked_like_tasks(kind):
    assert rehearse(flow(step("h", kind))).stopped == "no mock is left for 'h'"
    assert rehearse(flow(step("h", kind)), mocks={"h": {"yes": True}}).output == {"yes": True}


def test_a_mocked_wait_does_not_wait():
    outcome = rehearse(flow(step("w", "WAIT", **inputs(duration="30 days"))), mocks={"w": {}})

    assert (outcome.status, outcome.seconds) == ("COMPLETED", 0)


def test_scripts_are_evaluated_unless_they_are_mocked():
    document = flow(
        step("i", "INLINE", **inputs(expression="$.a + 1", a=1)),
        step("j", "JSON_JQ_TRANSFORM", **inputs(queryExpression=".b * 2", b="${i.output.result}")),
        step("l", "LAMBDA", **inputs(scriptExpression="return $.c + 1", c="${j.output.result}")),
    )

    assert rehearse(document).output == {"result": 5}
    assert rehearse(document, mocks={"i": {"result": 10}}).output == {"result": 21}
    assert rehearse(flow(step("i", "INLINE", **inputs(expression="nobody()")))).status == "FAILED"
    broken = step("j", "JSON_JQ_TRANSFORM", **inputs(queryExpression=".a | error"))
    assert rehearse(flow(broken), mocks={}).status == "FAILED"


def test_what_touches_the_world_needs_a_mock():
    asks = step("h", "HTTP", **inputs(uri="http://127.0.0.1:1", method="GET"))

    assert rehearse(flow(asks)).stopped == "no mock is left for 'h'"


def test_children_run_with_mocks_of_their_own_or_are_mocked_as_a_whole():
    parent = flow(child("c", "inner"))
    inner = {"name": "inner", "tasks": [step("a", **inputs(x=1)), child("d", "innermost")]}
    innermost = {"name": "innermost", "tasks": [step("b")]}

    run = rehearse(parent, mocks={"c/a": {}, "c/d/b": {"deep": 1}}, definitions=[inner, innermost])
    whole = rehearse(parent, mocks={"c": {"made": 1}})
    without = rehearse(parent, mocks={"c/a": {}}, definitions=[inner, innermost])

    assert (run.status, run.output["deep"]) == ("COMPLETED", 1)
    assert (whole.status, whole.output["made"]) == ("COMPLETED", 1)
    assert without.stopped == "no mock is left for 'c/d/b'"
    assert "No such workflow" in (rehearse(parent).reason or "")


def test_answers_may_take_simulated_time_and_run_into_timeouts():
    definition = {"name": "a", "retryCount": 0, "timeoutSeconds": 60, "responseTimeoutSeconds": 60}
    document = flow(*forked("f", [step("a")], [step("b")]))

    slow = rehearse(document, mocks={"a": Answer(after_seconds=40), "b": Answer(after_seconds=30)})
    late = rehearse(
        flow(step("a"), timeoutSeconds=30, timeoutPolicy="TIME_OUT_WF"),
        mocks={"a": Answer(after_seconds=40)},
        definitions=[definition],
    )

    tardy = rehearse(flow(step("a")), mocks={"a": [Answer(after_seconds=90)]}, definitions=[definition])

    assert (tardy.status, tardy.task("a").status, tardy.seconds) == ("TIMED_OUT", "TIMED_OUT", 60)
    assert (slow.status, slow.seconds) == ("COMPLETED", 40)
    assert (late.status, late.seconds) == ("TIMED_OUT", 30)


def test_limits_and_progress_are_as_on_the_road():
    working = Answer(status=TaskStatus.IN_PROGRESS)
    outcome = rehearse(flow(step("a")), mocks={"a": [working, working, {"done": 1}]})

    assert outcome.output == {"done": 1}


def test_a_function_that_raises_fails_the_attempt():
    def answer(given):
        raise ValueError("no luck")

    outcome = rehearse(flow(step("a", retryCount=0)), mocks={"a": answer})

    assert (outcome.status, outcome.task("a").reason) == ("FAILED", "ValueError: no luck")


def test_a_loop_for_ever_is_stopped(monkeypatch):
    monkeypatch.setattr("engine.testing.rehearsal._MOST_TURNS", 50)
    endless = flow(loop("l", "true", step("w", "WAIT", **inputs(duration="1s"))))

    outcome = rehearse(endless)

    assert (outcome.status, outcome.stopped) == ("RUNNING", "it went on for 50 turns")


def test_mistakes_are_told_as_everywhere():
    with pytest.raises(BadDefinition):
        rehearse({"name": "x"})
    schema = {"name": "s", "type": "JSON", "data": {"type": "object", "required": ["a"]}}
    with pytest.raises(Refused):
        rehearse(flow(step("n", "NOOP"), inputSchema=schema))
    with pytest.raises(KeyError, match="has not run: n"):
        rehearse(flow(step("n", "NOOP"))).task("other")


def test_a_workflow_written_in_python_brings_what_it_uses():
    charge = Task("charge", retry_count=1, retry_delay_seconds=3600)

    @workflow()
    def paying(amount: Value):
        return {"paid": charge(amount=amount).output.paid}

    @workflow()
    def order(lines: Value):
        with each("go", lines) as line:
            paid = paying("pay", amount=line.item.amount)
        with fork("both") as both:
            with both.branch():
                inline("think", "$.x * 2", x=paid.output.paid)
            with both.branch(), switch("by", by=paid.output.paid) as by, by.case(2):
                jq("shape", ".a", a=1)
        with do_while("poll", "$.poll.iteration < 3"):
            wait("pause", duration="1h")
        return {"paid": paid.output.paid, "twice": both.output.think.result}

    outcome = rehearse(
        order,
        {"lines": [{"amount": 1}, {"amount": 2}]},
        {"pay/charge": [failed("no money"), {"paid": 1}, {"paid": 2}]},
    )

    assert (outcome.status, outcome.output) == ("COMPLETED", {"paid": 2, "twice": 4})
    assert outcome.seconds == pytest.approx(4 * 3600, abs=5)
    assert set(order.uses) == {paying, charge}
    harness = Harness()
    harness.register(order)
    with harness.store.transaction() as tx:
        assert ([each.name for each in tx.workflow_defs()], list(tx.task_defs())) == (["order", "paying"], ["charge"])


def test_a_mock_in_a_list_that_is_an_output_alone_is_refused_with_the_right_form():
    with pytest.raises(BadMessage, match=r'mock of pay.*"output": \{"paid": …\}'):
        read_script({"pay": [{"paid": 3}]}, "--mocks")
