"""A crash after the commit and before the confirm: nothing is applied twice, and every command goes out again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.broker.port import Unsendable
from engine.model.event import Wake
from engine.testing.harness import Harness, TerminalFailure
from engine.wire.message import Message
from engine.wire.request_message import encode_wake
from tests.unit.road.line import Line


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register(
        {"name": "chain", "tasks": [step("a"), step("b")], "failureWorkflow": "after"},
        {"name": "after", "tasks": [step("mend")]},
        {"name": "parent", "tasks": [step("c", "SUB_WORKFLOW", subWorkflowParam={"name": "chain"})]},
        {
            "name": "launcher",
            "tasks": [step("s", "START_WORKFLOW", inputParameters={"startWorkflow": {"name": "after"}})],
        },
    )
    return harness


@pytest.fixture(params=["the same decider", "another decider"])
def line(request, harness) -> Line:
    """A line after whose loss the same decider goes on, or one that has nothing in memory."""
    line = Line(harness)
    if request.param == "another decider":
        reconnect = harness.road.reconnect

        def restart() -> None:
            reconnect()
            harness.restart_decider()

        harness.road.reconnect = restart
    return line


def shown(messages: list[Message]) -> list[tuple[str, str, bytes]]:
    return [(message.exchange, message.queue, message.body) for message in messages]


RUN = "run"


def good(_: object) -> dict[str, int]:
    return {"ok": 1}


def bad(_: object) -> None:
    raise TerminalFailure("no")


def assert_sent_again(line: Line, *kinds: str) -> None:
    lost, again = line.batches[0], line.batches[1]
    assert shown(again) == shown(lost)
    for kind in kinds:
        assert any(kind in (message.queue, message.exchange) for message in lost), (kind, shown(lost))


def test_a_start_sends_its_first_task_again_and_starts_nothing_twice(harness, line):
    with line.cut():
        harness.start("chain", workflow_id=RUN)
    assert_sent_again(line, "a", "baton.status")
    assert [task.ref for task in harness.rows(RUN).tasks] == ["a"]
    assert harness.executor.counts.recalled == 1
    assert harness.work({"a": good, "b": good}) == 2
    assert harness.run(RUN).status == "COMPLETED"


def test_a_result_sends_the_next_task_again_and_counts_once(harness, line):
    harness.start("chain", workflow_id=RUN)
    begun = harness.run(RUN).version_no
    with line.cut():
        harness.work({"a": good})
    assert_sent_again(line, "b")
    assert harness.statuses(RUN) == {"a": "COMPLETED", "b": "SCHEDULED"}
    assert harness.run(RUN).version_no == begun + 1


def test_a_child_is_started_again_as_the_same_child(harness, line):
    with line.cut():
        harness.start("parent", workflow_id=RUN)
    assert_sent_again(line, "baton.start")
    assert harness.task(RUN, "c").status == "IN_PROGRESS"
    harness.work({"a": good, "b": good})
    assert harness.run(RUN).status == "COMPLETED"
    assert harness.executor.counts.given_up == 0


def test_the_news_that_a_child_has_started_goes_out_again(harness, line):
    with line.cut(after=1):
        harness.start("parent", workflow_id=RUN)
    assert shown(line.batches[2]) == shown(line.batches[1])
    assert harness.task(RUN, "c").output["subWorkflowId"] == harness.task(RUN, "c").child_id


def test_the_news_that_a_child_has_ended_goes_out_again(harness, line):
    harness.start("parent", workflow_id=RUN)
    harness.work({"a": good})
    with line.cut():
        harness.work({"b": good})
    assert_sent_again(line, "baton.events.0", "baton.status")
    assert harness.run(RUN).status == "COMPLETED"


def test_the_failure_workflow_is_started_again_as_the_same_run(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        harness.work({"a": bad})
    assert_sent_again(line, "baton.start")
    after = harness.run(RUN).failure_workflow_id
    assert harness.statuses(after) == {"mend": "SCHEDULED"}
    assert harness.take("mend")[0].message.headers["workflow_id"] == after
    assert harness.take("mend") == []


def test_a_launched_run_is_started_again_as_the_same_run(harness, line):
    with line.cut():
        harness.start("launcher", workflow_id=RUN)
    assert_sent_again(line, "baton.start")
    assert harness.run(RUN).status == "COMPLETED"
    assert len(harness.take("mend")) == 1


def test_a_parent_that_starts_its_child_again_hears_of_the_end_that_it_has_missed(harness, line):
    with line.cut(after=1):
        harness.start("parent", workflow_id=RUN)
    harness.restart_decider()
    # Given a child whose row still remembers the start, and a broker that has lost the news of its end
    publish = harness.road.publish
    harness.road.publish = lambda messages: publish([each for each in messages if b"childEnded" not in each.body])
    harness.work({"a": good, "b": good})
    harness.road.publish = publish
    assert harness.run(harness.task(RUN, "c").child_id).status == "COMPLETED"
    assert harness.run(RUN).status == "RUNNING"
    harness.publish(encode_wake(Wake(event_id="resend", workflow_id=RUN, resend=True), 1))
    assert harness.run(RUN).status == "COMPLETED"


def test_cancellations_and_the_answer_go_out_again(harness, line):
    harness.start("parent", workflow_id=RUN)
    child = harness.task(RUN, "c").child_id
    with line.cut():
        harness.request(RUN, "terminate", reason="enough")
    assert_sent_again(line, "baton.events.0", "baton.replies.harness")
    assert harness.run(child).status == "TERMINATED"


def test_a_cancelled_task_is_revoked_again(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        harness.request(RUN, "terminate")
    assert_sent_again(line, "celery.pidbox", "baton.replies.harness")


def test_the_answer_to_a_request_goes_out_again_and_the_request_is_carried_out_once(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        harness.request(RUN, "pause")
    assert_sent_again(line, "baton.replies.harness")
    assert harness.run(RUN).status == "PAUSED"
    with harness.store.transaction() as transaction:
        assert len(transaction.requests(RUN)) == 1


def test_what_is_lost_again_and_again_goes_out_in_the_end(harness, line):
    with line.cut():
        harness.start("chain", workflow_id=RUN)
    for _ in range(3):
        with line.cut():
            harness.request(RUN, "pause")
        with line.cut():
            harness.request(RUN, "resume")
    harness.work({"a": good, "b": good})
    assert harness.run(RUN).status == "COMPLETED"


def test_what_follows_from_a_refused_message_goes_out_again_with_the_event_that_led_to_it(harness, line):
    # Given a child whose first task the broker refuses, so that the child fails on the road itself
    take = line._publish

    def refuse_tasks(messages: Sequence[Message]) -> None:
        refused = [message for message in messages if message.queue == "a"]
        take([message for message in messages if message not in refused])
        if refused:
            raise Unsendable([(message, "too large") for message in refused])

    line._publish = refuse_tasks
    # When the line is lost as the parent is about to be told
    with line.cut(after=2):
        harness.start("parent", workflow_id=RUN)
    # Then it is told all the same
    child = harness.task(RUN, "c").child_id
    assert (harness.run(child).status, harness.run(RUN).status) == ("FAILED", "FAILED")
    assert harness.run(harness.run(child).failure_workflow_id).status == "RUNNING"


def test_a_request_by_a_relative_that_is_published_again_is_not_carried_out_again(harness, line):
    # Given a child that was retried, so that its parent waited for it again, and that has failed once more
    harness.start("parent", workflow_id=RUN)
    harness.work({"a": bad})
    child = harness.task(RUN, "c").child_id
    del line.batches[:]
    harness.advance(1)
    harness.request(child, "retry")
    [revival] = [each for batch in line.batches for each in batch if str(each.message_id).startswith(f"{child}/retry/")]
    harness.work({"a": bad})
    assert harness.run(RUN).status == "FAILED"
    # When its word to the parent comes another time, as after a crash before the ack
    harness.publish(revival)
    # Then the parent does not wait for a child that will never say anything again
    assert harness.run(RUN).status == "FAILED"


def test_a_parent_that_hears_too_late_that_its_child_goes_on_hears_of_its_end_too(harness, line):
    # Given a child that was retried and has failed once more before its parent hears of the retry
    harness.start("parent", workflow_id=RUN)
    harness.work({"a": bad})
    child = harness.task(RUN, "c").child_id
    take, held = line._publish, []

    def hold_back(messages: Sequence[Message]) -> None:
        held.extend(each for each in messages if str(each.message_id).startswith(f"{child}/retry/"))
        take([each for each in messages if each not in held])

    line._publish = hold_back
    harness.advance(1)
    harness.request(child, "retry")
    harness.work({"a": bad})
    # When it hears of it
    harness.publish(*held)
    # Then it does not wait for ever
    assert len(held) == 1
    assert harness.run(RUN).last_retried_at
    assert harness.run(RUN).status == "FAILED"


def test_a_task_that_was_handed_out_is_shown_again_and_was_taken_once(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        harness.request(RUN, "take_task", taskId=f"{RUN}.1", workerId="w")
    assert shown(line.batches[1]) == shown(line.batches[0])
    assert any(
        b'"status":"IN_PROGRESS"' in message.body and b'"workerId":"w"' in message.body for message in line.batches[1]
    )
    assert harness.task(RUN, "a").polls == 1
