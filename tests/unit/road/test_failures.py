"""What went wrong on the road, and the answer: the failure table of the design, row by row."""

from __future__ import annotations

import msgspec
import pytest

from engine.batch import Batch
from engine.broker.port import Unsendable
from engine.clock import Instant
from engine.errors import StoreUnavailable
from engine.executor import Executor
from engine.model.event import StartWorkflow, TaskResult
from engine.model.request import Request
from engine.model.status import TaskStatus
from engine.operations import operations
from engine.store.port import WorkflowQuery
from engine.tasks.noop import Noop
from engine.testing.harness import Harness, result_message
from engine.testing.memory_store import MemoryTransaction
from engine.wire.dead_letter import read_dead
from engine.wire.message import Delivery, Message
from engine.wire.request_message import encode_request
from engine.wire.start_message import encode_start

EVENTS, START, DEAD = "baton.events.0", "baton.start", "baton.dead"


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register(
        {"name": "one", "tasks": [step("a")]},
        {"name": "two", "tasks": [step("a"), step("b")]},
        {"name": "broken", "tasks": [step("n", "NOOP")]},
        {"name": "parent", "tasks": [step("c", "SUB_WORKFLOW", subWorkflowParam={"name": "broken"})]},
        {
            "name": "launcher",
            "tasks": [step("s", "START_WORKFLOW", inputParameters={"startWorkflow": {"name": "broken"}})],
        },
    )
    return harness


@pytest.fixture
def noop_raises(monkeypatch) -> None:
    def start(self: Noop, at: object) -> None:
        raise RuntimeError("a fault in the engine")

    monkeypatch.setattr(Noop, "start", start)


def start_of(run: str, name: str, **fields: object) -> Message:
    return encode_start(StartWorkflow(event_id=f"start {run}", workflow_id=run, name=name, **fields))


def dead_letters(harness: Harness) -> list[str]:
    return [read_dead(each.message).reason for each in harness.road.peek(DEAD, 10)]


def test_a_row_that_somebody_else_changed_is_loaded_and_decided_again(harness):
    run = harness.start("two")
    mine = harness.executor
    harness.executor = Executor(harness.store, harness.road, harness.clock, harness.settings, 1)
    harness.request(run, "pause")
    harness.executor = mine
    harness.work({"a": lambda _: {}})
    assert mine.counts.conflicts == 1
    assert harness.run(run).status == "PAUSED"
    assert harness.statuses(run) == {"a": "COMPLETED"}


def test_a_row_that_changes_again_and_again_is_left_to_a_later_delivery(harness, monkeypatch):
    run = harness.start("two")
    monkeypatch.setattr(MemoryTransaction, "save", lambda *_, **how: set())
    with pytest.raises(StoreUnavailable, match="again and again"):
        harness.work({"a": lambda _: {}})
    monkeypatch.undo()
    harness.road.reconnect()
    harness.carry()
    assert harness.statuses(run) == {"a": "COMPLETED", "b": "SCHEDULED"}


def test_the_database_going_away_acks_nothing(harness, monkeypatch):
    def away(*_: object, **how: object) -> None:
        raise StoreUnavailable("gone")

    run = harness.start("two")
    monkeypatch.setattr(MemoryTransaction, "save", away)
    with pytest.raises(StoreUnavailable):
        harness.work({"a": lambda _: {}})
    monkeypatch.undo()
    assert harness.statuses(run) == {"a": "SCHEDULED"}
    harness.road.reconnect()
    harness.carry()
    assert harness.statuses(run) == {"a": "COMPLETED", "b": "SCHEDULED"}


def test_a_run_that_cannot_be_decided_fails_with_the_reason_and_its_neighbours_go_on(harness, noop_raises):
    harness.publish(start_of("x", "one"), start_of("y", "broken"), start_of("z", "one"))
    assert harness.run("y").status == "FAILED"
    assert "a fault in the engine" in harness.run("y").reason
    assert [harness.run(run).status for run in "xz"] == ["RUNNING", "RUNNING"]
    assert harness.executor.counts.given_up == 1


def test_a_parent_hears_of_a_child_that_cannot_be_decided(harness, noop_raises):
    run = harness.start("parent")
    assert harness.run(run).status == "FAILED"
    assert "a fault in the engine" in harness.run(run).reason


def test_whoever_launched_a_run_that_cannot_be_decided_hears_that_it_was_started(harness, noop_raises):
    run = harness.start("launcher")
    assert harness.run(run).status == "COMPLETED"
    assert harness.run(harness.task(run, "s").output["workflowId"]).status == "FAILED"


def test_a_request_to_a_run_that_cannot_be_decided_is_answered(harness, monkeypatch):
    def operate(desk: object, request: Request) -> None:
        raise RuntimeError("a fault in the engine")

    run = harness.start("one")
    monkeypatch.setitem(operations(), "pause", operate)
    outcome = harness.request(run, "pause")
    assert (outcome.granted, outcome.code) == (False, 409)
    assert "a fault in the engine" in outcome.message
    assert harness.run(run).status == "FAILED"


def test_rows_that_make_no_sense_end_their_run_only(harness, monkeypatch):
    good, lost = harness.start("two"), harness.start("two")
    tables = harness.store._tables
    tables.tasks[lost][1] = msgspec.structs.replace(tables.tasks[lost][1], position=7)
    harness.restart_decider()
    harness.work({"a": lambda _: {}})
    assert harness.run(lost).status == "FAILED"
    assert harness.statuses(lost) == {"a": "CANCELED"}
    assert harness.statuses(good) == {"a": "COMPLETED", "b": "SCHEDULED"}


def test_a_run_that_cannot_be_stored_fails_and_its_neighbours_go_on(harness, monkeypatch):
    real = MemoryTransaction.save

    def save(self: MemoryTransaction, saves, **how):
        if any("secret" in task.output for each in saves for task in each.updated):
            raise ValueError("this cannot be written")
        return real(self, saves, **how)

    good, bad = harness.start("two", {"v": 1}), harness.start("two", {"v": 2})
    monkeypatch.setattr(MemoryTransaction, "save", save)
    outputs = {good: {"fine": 1}, bad: {"secret": 1}}
    replies = [
        result_message(each, {"task_id": each.message.headers["id"], "status": "SUCCESS", "result": outputs[run]})
        for each in harness.take("a")
        for run in [each.message.headers["workflow_id"]]
    ]
    harness.publish(*replies)
    assert harness.statuses(good) == {"a": "COMPLETED", "b": "SCHEDULED"}
    assert harness.run(bad).status == "FAILED"
    assert "this cannot be written" in harness.run(bad).reason


def test_a_run_that_can_not_even_be_ended_holds_up_nobody(harness, monkeypatch):
    real = MemoryTransaction.save

    def save(self: MemoryTransaction, saves, **how):
        if any(each.workflow.id == "bad" for each in saves):
            raise ValueError("never")
        return real(self, saves, **how)

    monkeypatch.setattr(MemoryTransaction, "save", save)
    harness.publish(start_of("bad", "one"), start_of("good", "one"))
    assert harness.run("good").status == "RUNNING"


def test_news_of_a_run_that_can_neither_be_stored_nor_ended_is_buried_with_the_reason(harness, monkeypatch):
    harness.register({"name": "one", "tasks": [step("a")]})
    run = harness.start("one")

    def refuse(*_: object, **how: object) -> None:
        raise RuntimeError("no row can be written")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryTransaction, "save", refuse)
        harness.work({"a": lambda given: given})

    letters = [read_dead(each.message) for each in harness.broker.connect().peek("baton.dead", 10)]
    assert [letter.origin for letter in letters] == [EVENTS]
    assert run in letters[0].reason
    assert "no row can be written" in letters[0].reason


def test_a_task_whose_input_cannot_be_written_ends_its_run(harness):
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    harness.register({"name": "copies", "tasks": [step("a"), step("b", inputParameters={"v": "${a.output.v}"})]})
    run = harness.start("copies")
    result = TaskResult(event_id="r", workflow_id=run, seq=1, status=TaskStatus.COMPLETED, output={"v": deep})
    batch = Batch()
    batch._add(result)
    harness.executor._carry_out(batch)
    harness.carry()
    assert harness.run(run).status == "FAILED"
    assert "RecursionError" in harness.run(run).reason


@pytest.mark.parametrize(
    ("queue", "body", "headers", "words"),
    [
        (EVENTS, b"\xff\x00", {}, "Neither a result"),
        (EVENTS, b"{}", {}, "Neither a result"),
        (EVENTS, b'{"task_id": "nobody", "status": "SUCCESS"}', {}, "not one of ours"),
        (EVENTS, b"{}", {"baton": "poem"}, "no kind of message"),
        (EVENTS, b'{"wake": 3}', {"baton": "wake"}, "message_id"),
        (START, b"not json", {}, "not JSON"),
        (START, b"[]", {}, "must be a JSON object"),
        (START, b'{"priority": "high"}', {}, "priority"),
        (START, b'{"name": "nobody wrote this"}', {}, "No such workflow defined"),
        (START, b'{"workflowDef": {"name": "bad", "tasks": []}, "name": "bad"}', {}, "at least one task"),
    ],
)
def test_what_cannot_be_understood_goes_to_the_dead_letters_with_the_reason(harness, queue, body, headers, words):
    run = harness.start("one")
    harness.publish(Message(queue=queue, body=body, headers=headers), start_of("beside", "one"))
    assert len(dead_letters(harness)) == 1
    assert words in dead_letters(harness)[0]
    assert harness.run(run).status == harness.run("beside").status == "RUNNING"


def test_facts_about_an_unknown_run_are_counted_and_the_asker_is_told(harness):
    outcome = harness.request("nobody", "pause")
    assert (outcome.granted, outcome.code) == (False, 404)
    harness.publish(
        Message(queue=EVENTS, body=b'{"task_id": "nobody.1", "status": "SUCCESS", "result": {}, "traceback": null}')
    )
    assert harness.executor.counts.unknown == 2
    assert dead_letters(harness) == []


def test_a_start_of_the_same_message_id_starts_one_run(harness):
    message = Message(queue=START, body=b'{"name": "one"}', message_id="m-1")
    harness.publish(message)
    harness.publish(message)
    harness.restart_decider()
    harness.publish(message)
    with harness.store.transaction() as transaction:
        assert transaction.find(WorkflowQuery())[0] == 1
    assert len(harness.take("a")) <= 3


def test_the_same_start_twice_in_one_batch_starts_one_run(harness):
    harness.publish(start_of("x", "one"), start_of("x", "one"))
    assert len(harness.take("a")) == 1
    assert harness.executor.counts.starts == 1


def test_two_starts_for_one_id_in_one_batch_start_one_run_and_both_are_answered(harness):
    asked = {"reply_to": "baton.replies.harness"}
    first = start_of("x", "one", reply_id="1", **asked)
    second = encode_start(StartWorkflow(event_id="other", workflow_id="x", name="one", reply_id="2", **asked))
    harness.publish(first, second)
    answers = harness._outside.receive(10, 0)
    assert sorted(each.message.correlation_id for each in answers) == ["1", "2"]
    assert len(harness.take("a")) == 1


def test_a_start_and_its_first_result_may_come_in_one_batch(harness):
    run = harness.start("two", workflow_id="x")
    result = harness.take("a")[0]
    reply = result_message(result, {"task_id": "x.1", "status": "SUCCESS", "result": {"v": 1}})
    for executor in (harness.executor, Executor(harness.store, harness.road, harness.clock, harness.settings, 1)):
        executor.handle([_redelivered(start_of("x", "two")), Delivery(message=reply, queue=EVENTS)])
        assert harness.statuses(run) == {"a": "COMPLETED", "b": "SCHEDULED"}
    assert harness.executor.counts.given_up == 0


def _redelivered(message: Message) -> Delivery:
    return Delivery(message=message, queue=message.queue, redelivered=True)


def test_a_request_that_comes_again_after_later_ones_is_not_carried_out_again(harness):
    run = harness.start("two")
    pause = encode_request(
        Request(event_id="p-1", workflow_id=run, verb="pause", reply_to="baton.replies.harness", reply_id="p-1"), 1
    )
    harness.publish(pause)
    harness.request(run, "resume")
    harness.work({"a": lambda _: {}})
    harness.restart_decider()
    harness.executor.handle([_redelivered(pause)])
    assert harness.run(run).status == "RUNNING"
    assert harness.statuses(run)["b"] == "SCHEDULED"
    answer = harness._outside.receive(10, 0)[-1].message
    assert answer.correlation_id == "p-1"


def test_a_request_that_was_in_hand_while_others_went_on_is_not_carried_out_again(harness):
    run = harness.start("two")
    mine = harness.executor
    pause = encode_request(
        Request(event_id="p-1", workflow_id=run, verb="pause", reply_to="baton.replies.harness", reply_id="p-1"), 1
    )
    # Given a decider that stood still with the first delivery, and another one that was handed it then
    harness.restart_decider()
    harness.executor.handle([_redelivered(pause)])
    harness.request(run, "resume")
    harness.work({"a": lambda _: {}})
    mine.handle([Delivery(message=pause, queue=pause.queue)])
    assert harness.run(run).status == "RUNNING"


def test_a_request_that_says_that_it_may_be_a_repetition_is_looked_for_in_the_audit_trail(harness):
    run = harness.start("two")
    append = encode_request(
        Request(
            event_id="v-1",
            workflow_id=run,
            verb="update_variables",
            arguments={"variables": {"seen": [1]}, "appendArray": True},
            may_repeat=True,
            reply_to="baton.replies.harness",
            reply_id="v-1",
        ),
        1,
    )
    harness.request(run, "update_variables", variables={"seen": [0]})
    harness.publish(append)
    assert harness.run(run).variables == {"seen": [0, 1]}
    # While the row remembers it, and when only the audit trail does; whoever asks now gets the answer.
    for reply_id in ("v-2", "v-3"):
        harness.publish(msgspec.structs.replace(append, correlation_id=reply_id))
        assert harness._outside.receive(10, 0)[-1].message.correlation_id == reply_id
        harness.request(run, "pause")
        harness.restart_decider()
    assert harness.run(run).variables == {"seen": [0, 1]}


def test_a_late_result_of_a_closed_task_is_dropped_and_counted(harness):
    run = harness.start("two")
    taken = harness.take("a")[0]
    body = {"task_id": f"{run}.1", "status": "SUCCESS", "result": {"v": 1}, "traceback": None}
    harness.publish(result_message(taken, body))
    harness.publish(result_message(taken, {**body, "result": {"v": 2}}))
    assert harness.task(run, "a").output == {"v": 1}
    assert harness.executor.counts.dropped == 1


def test_a_task_that_the_broker_will_never_take_fails_and_its_neighbours_are_sent(harness, monkeypatch):
    real = harness.road.publish

    def publish(messages):
        refused = [message for message in messages if len(message.body) > 10_000]
        real([message for message in messages if message not in refused])
        if refused:
            raise Unsendable([(message, "the message has too many bytes") for message in refused])

    monkeypatch.setattr(harness.road, "publish", publish)
    harness.register({"name": "big", "tasks": [step("a", inputParameters={"all": "${workflow.input}"})]})
    harness.publish(start_of("x", "big", input={"text": "y" * 20_000}), start_of("z", "one"))
    assert harness.task("x", "a").status == "FAILED_WITH_TERMINAL_ERROR"
    assert "too many bytes" in harness.run("x").reason
    assert [each.message.headers["workflow_id"] for each in harness.take("a")] == ["z"]


def test_a_date_of_any_size_can_be_stored(harness):
    harness.register(
        {
            "name": "far",
            "tasks": [step("a", startDelay=10**15)],
            "timeoutSeconds": 10**17,
            "timeoutPolicy": "TIME_OUT_WF",
        },
        tasks=[{"name": "a", "responseTimeoutSeconds": 10**17}],
    )
    run = harness.start("far")
    assert harness.run(run).wake_at < Instant(2**62)
