"""What restarts, reruns and their kin command goes out again after a crash, and they are carried out once."""

from __future__ import annotations

from tests.unit.road.test_redelivery import RUN, assert_sent_again, bad, good, harness, line, step

__all__ = ["harness", "line"]


def rounds(harness, run=RUN):
    with harness.store.transaction() as transaction:
        return transaction.earlier_rounds(run)


def test_a_restart_sends_the_first_task_and_the_answer_again(harness, line):
    harness.start("chain", workflow_id=RUN)
    harness.work({"a": bad})
    with line.cut():
        assert harness.request(RUN, "restart").granted
    assert_sent_again(line, "a", "baton.replies.harness")
    assert len(rounds(harness)) == 1
    harness.work({"a": good, "b": good})
    assert harness.run(RUN).status == "COMPLETED"


def test_a_rerun_sends_the_task_and_the_answer_again(harness, line):
    harness.start("chain", workflow_id=RUN)
    harness.work({"a": good, "b": bad})
    with line.cut():
        assert harness.request(RUN, "rerun", reRunFromTaskId=f"{RUN}.2", taskInput={"x": 1}).granted
    assert_sent_again(line, "b", "baton.replies.harness")
    assert len(rounds(harness)) == 1
    assert harness.task(RUN, "b").input == {"x": 1}


def test_the_word_to_the_parent_of_a_child_that_is_restarted_goes_out_again(harness, line):
    harness.start("parent", workflow_id=RUN)
    child = harness.task(RUN, "c").child_id
    harness.work({"a": bad})
    harness.advance(1)
    with line.cut():
        harness.request(child, "restart")
    assert_sent_again(line, "baton.events.0", "a")
    assert harness.run(RUN).status == "RUNNING"
    harness.work({"a": good, "b": good})
    assert harness.run(RUN).status == "COMPLETED"


def test_the_wish_to_a_child_goes_out_again(harness, line):
    harness.start("parent", workflow_id=RUN)
    child = harness.task(RUN, "c").child_id
    harness.work({"a": good, "b": good})
    harness.advance(1)
    with line.cut():
        harness.request(RUN, "rerun", reRunFromTaskId=f"{child}.2", taskInput={"x": 1})
    assert_sent_again(line, "baton.events.0")
    assert (len(rounds(harness)), len(rounds(harness, child))) == (1, 1)
    assert harness.task(child, "b").input == {"x": 1}
    harness.work({"b": good})
    assert harness.run(RUN).status == "COMPLETED"


def test_what_an_earlier_round_commanded_is_past_once_the_run_is_restarted(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        harness.work({"a": bad})
    harness.request(RUN, "restart")
    assert harness.executor.counts.given_up == 0
    harness.work({"a": good, "b": good})
    assert harness.run(RUN).status == "COMPLETED"


def test_an_event_of_an_earlier_round_that_comes_again_after_a_restart_changes_nothing(harness):
    harness.start("chain", workflow_id=RUN)
    (task,) = harness.take("a")
    result = harness._result(task, good)
    harness.publish(result)
    harness.request(RUN, "terminate")
    harness.request(RUN, "restart")
    harness.restart_decider()
    harness.publish(result)
    assert harness.statuses(RUN) == {"a": "SCHEDULED"}
    assert harness.executor.counts.given_up == 0


def test_the_answer_to_a_removal_goes_out_again(harness, line):
    harness.start("chain", workflow_id=RUN)
    harness.work({"a": bad})
    with line.cut():
        assert harness.request(RUN, "remove").granted
    assert any(message.queue == "baton.replies.harness" for message in line.batches[1])
    with harness.store.transaction() as transaction:
        assert len(transaction.requests(RUN)) == 1
    assert harness.executor.counts.given_up == 0


def test_a_skip_is_carried_out_once(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        assert harness.request(RUN, "skip_task", ref="b", taskOutput={"v": 1}).granted
    assert_sent_again(line, "baton.replies.harness")
    harness.work({"a": good})
    assert (harness.run(RUN).status, harness.run(RUN).output) == ("COMPLETED", {"v": 1})


def test_what_a_jump_passes_over_is_revoked_again(harness, line):
    harness.start("chain", workflow_id=RUN)
    with line.cut():
        assert harness.request(RUN, "jump", ref="b").granted
    assert_sent_again(line, "celery.pidbox", "b", "baton.replies.harness")
    assert len(rounds(harness)) == 1
    harness.work({"a": good, "b": good})
    assert (harness.run(RUN).status, list(harness.statuses(RUN))) == ("COMPLETED", ["b"])


def test_a_child_that_a_jump_passes_over_is_terminated_again(harness, line):
    harness.register(
        {"name": "wide", "tasks": [step("c", "SUB_WORKFLOW", subWorkflowParam={"name": "chain"}), step("b")]}
    )
    harness.start("wide", workflow_id=RUN)
    child = harness.task(RUN, "c").child_id
    with line.cut():
        harness.request(RUN, "jump", ref="b")
    assert_sent_again(line, "baton.events.0", "b")
    assert harness.run(child).status == "TERMINATED"
