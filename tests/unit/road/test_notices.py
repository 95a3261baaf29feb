"""What listeners are told: runs and tasks that somebody listens to, each event once, and again after a crash."""

from __future__ import annotations

import msgspec
import pytest

from engine.config import Settings
from engine.model.event import Wake
from engine.model.payload import Json
from engine.store.port import WorkflowQuery
from engine.testing.harness import Harness
from engine.wire.message import NOTICES_QUEUE, START_QUEUE
from engine.wire.notice import Notice, decode_notice
from engine.wire.request_message import encode_wake

SINK = "https://listener.example/runs"
STEP: dict[str, Json] = {"name": "hello", "taskReferenceName": "hello"}


def workflow(**more: Json) -> dict[str, Json]:
    return {"name": "greet", "tasks": [STEP], "workflowStatusListenerEnabled": True, **more}


def told(harness: Harness) -> list[Notice]:
    return [decode_notice(each) for each in harness.road.peek(NOTICES_QUEUE, 100)]


def events(harness: Harness) -> list[str]:
    return [notice.document["event"] for notice in told(harness)]


@pytest.fixture
def harness() -> Harness:
    return Harness(settings=Settings(notice_sinks=SINK))


def completed(harness: Harness, **more: Json) -> str:
    harness.register(workflow(**more))
    run = harness.start("greet", {"who": "Ada", "pin": 7})
    harness.work({"hello": lambda given: {"text": "Hello"}})
    return run


def test_the_life_of_a_run_is_told_in_conductors_words(harness: Harness) -> None:
    run = completed(harness)
    assert events(harness) == ["STARTED", "COMPLETED", "FINALIZED"]
    first, last = told(harness)[0], told(harness)[1]
    assert (first.sink, first.topic) == (SINK, "workflow.started.greet")
    shown = last.document["workflow"]
    assert (shown["workflowId"], shown["status"], shown["output"]) == (run, "COMPLETED", {"text": "Hello"})
    assert last.id == last.document["id"] == f"{run}/COMPLETED/{harness.clock.now()}"


def test_what_is_done_to_a_run_is_told_too(harness: Harness) -> None:
    harness.register(workflow())
    run = harness.start("greet")
    for verb in ("pause", "resume", "terminate", "retry"):
        assert harness.request(run, verb).granted
    assert events(harness) == ["STARTED", "PAUSED", "RESUMED", "TERMINATED", "FINALIZED", "RETRIED"]


@pytest.mark.parametrize(("verb", "event"), [("restart", "RESTARTED"), ("rerun", "RERAN")])
def test_a_run_that_is_done_over_is_told_as_what_it_is(harness: Harness, verb: str, event: str) -> None:
    run = completed(harness)
    assert harness.request(run, verb).granted
    assert events(harness) == ["STARTED", "COMPLETED", "FINALIZED", event]


def test_a_request_that_is_refused_is_no_event(harness: Harness) -> None:
    harness.register(workflow())
    run = harness.start("greet")
    assert not harness.request(run, "resume").granted
    assert events(harness) == ["STARTED"]


def test_nobody_is_told_of_a_run_whose_definition_does_not_say_so(harness: Harness) -> None:
    completed(harness, workflowStatusListenerEnabled=False)
    assert told(harness) == []


def test_without_any_sink_there_is_no_message() -> None:
    harness = Harness()
    completed(harness)
    assert told(harness) == []


def test_a_definitions_own_sink_goes_before_those_of_the_settings(harness: Harness) -> None:
    completed(harness, workflowStatusListenerSink="amqp_queue:greetings")
    assert {notice.sink for notice in told(harness)} == {"amqp_queue:greetings"}


def test_each_sink_of_the_settings_gets_a_notice_of_its_own_with_the_same_id() -> None:
    harness = Harness(settings=Settings(notice_sinks=f"{SINK} amqp_exchange:runs"))
    harness.register(workflow())
    harness.start("greet")
    one, two = told(harness)
    assert one.id == two.id
    assert [one.sink, two.sink] == [SINK, "amqp_exchange:runs"]


def test_masked_fields_are_hidden_from_listeners(harness: Harness) -> None:
    completed(harness, maskedFields=["pin"])
    assert all(notice.document["workflow"]["input"] == {"who": "Ada", "pin": "***"} for notice in told(harness))


def test_a_large_payload_is_left_out_and_named(harness: Harness) -> None:
    harness.register(workflow())
    harness.start("greet", {"text": "x" * 300_000})
    shown = told(harness)[0].document["workflow"]
    assert (shown["input"], shown["truncated"]) == (None, ["input"])


def test_tasks_are_told_in_the_statuses_that_the_settings_name_unless_their_definition_says_no() -> None:
    harness = Harness(settings=Settings(notice_sinks=SINK, notice_task_statuses="SCHEDULED, FAILED"))
    steps = [STEP, {"name": "quiet", "taskReferenceName": "quiet"}]
    tasks = [{"name": "hello", "retryCount": 1, "retryDelaySeconds": 0}]
    tasks += [{"name": "quiet", "taskStatusListenerEnabled": False}]
    harness.register({"name": "greet", "tasks": steps}, tasks=tasks)
    harness.start("greet")
    outcomes = iter([RuntimeError("no voice"), None])

    def hello(_: dict[str, Json]) -> Json:
        error = next(outcomes)
        if error:
            raise error
        return {}

    harness.work({"hello": hello, "quiet": lambda given: given})
    shown = [(each.topic, each.document["task"]["retryCount"]) for each in told(harness)]
    assert shown == [("task.scheduled.hello", 0), ("task.failed.hello", 0), ("task.scheduled.hello", 1)]


def test_a_run_that_is_given_up_tells_its_listeners(harness: Harness) -> None:
    switch = {"name": "s", "taskReferenceName": "s", "type": "SWITCH", "evaluatorType": "javascript"}
    switch |= {"expression": "while (true) {}", "decisionCases": {"a": [STEP]}}
    harness.register(workflow(tasks=[switch]))
    harness.start("greet")
    assert events(harness)[-2:] == ["TERMINATED", "FINALIZED"]


def test_notices_go_out_again_when_the_event_comes_again_after_a_crash(harness: Harness) -> None:
    harness.register(workflow())
    harness.start("greet")
    (task,) = harness.take("hello")
    result = msgspec.json.encode({"task_id": task.message.headers["id"], "status": "SUCCESS", "result": {}})
    answer = msgspec.structs.replace(task.message, queue=str(task.message.reply_to), body=result, headers={})
    harness.publish(answer)
    before = [notice.id for notice in told(harness)]
    harness.restart_decider()
    harness.publish(answer)
    again = [notice.id for notice in told(harness)]
    assert again == [*before, before[1], before[2]]


def on_change(**more: Json) -> dict[str, Json]:
    payload = {"text": "${hello.output.text}", "who": "${workflow.input.who}"}
    return {"onStart,onSuccess": [{"type": "audit", "payload": payload}], **more}


def test_a_steps_own_word_is_told_at_each_change_that_it_names(harness: Harness) -> None:
    harness.register({"name": "greet", "tasks": [{**STEP, "onStateChange": on_change()}]})
    harness.start("greet", {"who": "Ada"})
    harness.work({"hello": lambda given: {"text": "Hello"}})
    shown = [(each.document["event"], each.document["type"], each.document["payload"]) for each in told(harness)]
    assert shown == [
        ("onStart", "audit", {"text": "Hello", "who": "Ada"}),
        ("onSuccess", "audit", {"text": "Hello", "who": "Ada"}),
    ]


def test_a_payload_is_what_it_was_when_the_change_happened(harness: Harness) -> None:
    change = {"onScheduled": [{"type": "audit", "payload": "${workflow.variables.stage}"}]}
    stage = {"name": "v", "taskReferenceName": "v", "type": "SET_VARIABLE"}
    steps = [
        {**stage, "inputParameters": {"stage": 1}},
        {"name": "n", "taskReferenceName": "n", "type": "NOOP", "onStateChange": change},
        {**stage, "taskReferenceName": "w", "inputParameters": {"stage": 2}},
    ]
    harness.register({"name": "greet", "tasks": steps})
    harness.start("greet")
    assert [notice.document["payload"] for notice in told(harness)] == [1]


def test_a_failure_and_a_cancellation_have_their_own_names(harness: Harness) -> None:
    change = {name: [{"type": name, "payload": {}}] for name in ("onFailed", "onCancelled")}
    step = {**STEP, "onStateChange": change, "retryCount": 1}
    harness.register({"name": "greet", "tasks": [step]}, tasks=[{"name": "hello", "retryDelaySeconds": 0}])
    run = harness.start("greet")

    (task,) = harness.take("hello")
    harness.request(run, "update_task", taskId=task.message.headers["id"], status="FAILED")
    harness.request(run, "terminate")
    assert [notice.document["type"] for notice in told(harness)] == ["onFailed", "onCancelled"]


def test_a_payload_that_cannot_be_evaluated_says_so_and_ends_nothing(harness: Harness) -> None:
    change = {"onScheduled": [{"type": "audit", "payload": {"x": "${workflow.input.x[?(@.y =~ /(/)]}"}}]}
    harness.register({"name": "greet", "tasks": [{**STEP, "onStateChange": change}]})
    run = harness.start("greet", {"x": [{"y": "z"}]})
    assert harness.run(run).status == "RUNNING"
    (notice,) = told(harness)
    assert notice.document["payload"] is not None


def test_a_change_can_start_a_workflow(harness: Harness) -> None:
    request = {"name": "audit", "input": {"text": "${hello.output.text}"}, "correlationId": "${workflow.workflowId}"}
    change = {"onSuccess": [{"type": "start_workflow", "payload": request}]}
    harness.register(
        {"name": "greet", "tasks": [{**STEP, "onStateChange": change}]}, {"name": "audit", "tasks": [STEP]}
    )
    run = harness.start("greet")
    harness.work({"hello": lambda given: {"text": "Hello"}}, rounds=5)
    with harness.store.transaction() as transaction:
        count, (started,) = transaction.find(WorkflowQuery(name="audit"))
    assert (count, started.correlation_id, started.input) == (1, run, {"text": "Hello"})
    assert harness.road.ready(START_QUEUE) == 0


def test_a_run_that_is_ended_because_its_news_kill_processes_is_told_of(harness: Harness) -> None:
    harness.register(workflow(maskedFields=["who"]))
    run = harness.start("greet", {"who": "Ada"})
    harness.road.publish([encode_wake(Wake(event_id="deadly", workflow_id=run), 1)])
    (deadly,) = harness.arrived()
    harness.executor.set_aside(deadly, "3 processes died with this message in hand")
    assert events(harness)[1:] == ["TERMINATED", "FINALIZED"]
    shown = told(harness)[-1].document["workflow"]
    assert (shown["status"], shown["reasonForIncompletion"]) == ("FAILED", "3 processes died with this message in hand")
