"""What workers get over gRPC, and how they report."""

from __future__ import annotations

from contextlib import aclosing

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

from engine.api.grpc.poll_calls import Polls
from engine.polling.poll_book import PollBook

from .conftest import TASKS, GrpcSite, request_of


def test_a_worker_polls_a_task_and_reports_on_it(door: GrpcSite) -> None:
    run = door.started(input={"who": {"name": "Ada", "age": 36, "tags": ["a", None, True, 1.5]}})
    task = door.ask(TASKS, "Poll", taskType=door.kind, workerId="w7")["task"]
    # protobuf's own JSON leaves out what is 0, such as the status IN_PROGRESS, and writes large numbers as texts.
    assert (task["taskId"], task["workerId"], task["pollCount"]) == (f"{run}.1", "w7", 1)
    assert task["inputData"] == {"who": {"name": "Ada", "age": 36, "tags": ["a", None, True, 1.5]}}
    assert (task["taskType"], task["workflowTask"]["taskReferenceName"]) == (door.kind, "a")
    assert door.task(f"{run}.1")["status"] == "IN_PROGRESS"
    result = {"workflowInstanceId": run, "taskId": f"{run}.1", "status": "COMPLETED", "outputData": {"n": 5, "x": [{}]}}
    assert door.ask(TASKS, "UpdateTask", result=result) == {"taskId": f"{run}.1"}
    assert door.run_status(f"{run}.1") == "COMPLETED"
    # A Value knows only doubles; whole ones are whole numbers again in the run.
    assert door.task(f"{run}.1")["outputData"] == {"n": 5, "x": [{}]}


def test_a_poll_that_finds_nothing_answers_without_a_task(door: GrpcSite) -> None:
    assert door.ask(TASKS, "Poll", taskType=door.kind) == {}
    assert door.polled() == []


def test_a_batch_that_waits_is_answered_when_a_task_comes(door: GrpcSite) -> None:
    poll = door.meanwhile(door.polled, count=5, timeout=5000)
    run = door.started()
    assert [task["taskId"] for task in poll.result(10)] == [f"{run}.1"]


def test_a_batch_gets_several_tasks(door: GrpcSite) -> None:
    runs = {door.started() for _ in range(3)}
    found: list[str] = []
    while len(found) < 3:
        found += [task["workflowInstanceId"] for task in door.polled(count=3, timeout=5000)]
    assert set(found) == runs


def test_a_domain_has_a_queue_of_its_own(door: GrpcSite) -> None:
    run = door.started(taskToDomain={door.kind: "blue"})
    (task,) = door.polled(domain="blue", timeout=5000)
    assert (task["taskId"], task["domain"]) == (f"{run}.1", "blue")


def test_a_worker_that_hangs_up_takes_no_task_with_it(door: GrpcSite) -> None:
    gone = door.begin(TASKS, "BatchPoll", taskType=door.kind, workerId="gone", timeout=5000)
    while not door.client.get("/api/tasks/queue/polldata", params={"taskType": door.kind}).json():
        pass
    gone.cancel()
    run = door.started()
    found = []
    while not found:
        found = door.polled(timeout=5000)
    assert [task["workflowInstanceId"] for task in found] == [run]


def test_of_a_batch_that_is_broken_off_the_rest_is_for_whoever_polls_next(door: GrpcSite) -> None:
    runs = {door.started() for _ in range(3)}
    while door.ask(TASKS, "GetQueueSizesForTasks", taskTypes=[door.kind]) != {"queueForTask": {door.kind: 3}}:
        pass
    asked = {"taskType": door.kind, "count": 3, "timeout": 5000}
    batch = Polls(door.distributor, PollBook(door.store)).calls()["BatchPoll"]

    async def take_one() -> str:
        async with aclosing(batch.answers(lambda: asked, lambda task: task["taskId"].encode())) as answers:
            first = await anext(answers)
            # The second is on its way when the client hangs up.
            await anext(answers)
        return first.decode()

    assert door.client.portal is not None
    sent = door.client.portal.call(take_one)
    found: list[str] = []
    while len(found) < 2:
        found += [task["workflowInstanceId"] for task in door.polled(count=2, timeout=5000)]
    assert {sent.rpartition(".")[0], *found} == runs


def test_a_report_without_a_status_says_that_the_work_goes_on(door: GrpcSite) -> None:
    run = door.started()
    door.polled(timeout=5000)
    result = {"workflowInstanceId": run, "taskId": f"{run}.1", "callbackAfterSeconds": 60, "outputData": {"half": 1}}
    door.ask(TASKS, "UpdateTask", result=result)
    task = door.task(f"{run}.1")
    assert (task["status"], task["callbackAfterSeconds"], task["outputData"]) == ("SCHEDULED", 60, {"half": 1})


def test_the_log_of_a_task_is_written_and_read(door: GrpcSite) -> None:
    run = door.started()
    door.ask(TASKS, "AddLog", taskId=f"{run}.1", log="half way")
    (entry,) = door.ask(TASKS, "GetTaskLogs", taskId=f"{run}.1")["logs"]
    assert (entry["log"], entry["taskId"]) == ("half way", f"{run}.1")
    assert door.ask(TASKS, "GetTask", taskId=f"{run}.1")["task"]["status"] == "SCHEDULED"


def test_the_queues_tell_how_much_waits(door: GrpcSite) -> None:
    door.started()
    assert door.ask(TASKS, "GetQueueSizesForTasks", taskTypes=[door.kind]) == {"queueForTask": {door.kind: 1}}
    # 64 bits are texts in protobuf's JSON.
    assert door.ask(TASKS, "GetQueueInfo")["queues"][door.kind] == "1"
    assert door.ask(TASKS, "GetQueueAllInfo")["queues"][door.kind] == {"shards": {"a": {"size": "1"}}}


def test_tasks_are_found(door: GrpcSite) -> None:
    run = door.started()
    query = f"workflowId='{run}'"
    summary = door.ask(TASKS, "Search", query=query)
    assert (summary["totalHits"], summary["results"][0]["taskId"]) == ("1", f"{run}.1")
    assert door.ask(TASKS, "SearchV2", query=query)["results"][0]["referenceTaskName"] == "a"


@pytest.mark.parametrize(
    ("method", "fields", "code", "says"),
    [
        ("Poll", {}, "INVALID_ARGUMENT", "task_type"),
        ("Poll", {"taskType": "baton.start"}, "INVALID_ARGUMENT", "Baton's own"),
        ("BatchPoll", {"taskType": "a", "timeout": 5001}, "INVALID_ARGUMENT", "5000"),
        ("UpdateTask", {}, "INVALID_ARGUMENT", "taskId is missing"),
        ("UpdateTask", {"result": {"workflowInstanceId": "no", "taskId": "no.1"}}, "NOT_FOUND", "no"),
        ("UpdateTask", {"result": {"workflowInstanceId": "a", "taskId": "b.1"}}, "NOT_FOUND", "none of workflow"),
        ("AddLog", {"taskId": "nobody.1", "log": "x"}, "NOT_FOUND", "nobody.1"),
        ("AddLog", {"taskId": "nobody.1"}, "INVALID_ARGUMENT", "no log"),
        ("GetTask", {"taskId": "nobody.1"}, "NOT_FOUND", "nobody.1"),
        ("GetTaskLogs", {"taskId": "strange"}, "NOT_FOUND", "strange"),
        ("Search", {"query": "AND AND"}, "INVALID_ARGUMENT", ""),
        ("Search", {"size": 5001}, "INVALID_ARGUMENT", "5000"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(
    door: GrpcSite, method: str, fields: dict[str, object], code: str, says: str
) -> None:
    found, details = door.refusal(TASKS, method, **fields)
    assert found == code
    assert says in details


def test_an_output_that_is_a_message_is_refused_instead_of_lost(door: GrpcSite) -> None:
    request = request_of(TASKS, "UpdateTask")
    request.result.output_message.type_url = "type.googleapis.com/my.Output"
    code, details = door.refused(lambda: door.send(TASKS, "UpdateTask", request.SerializeToString()).result())
    assert code == "INVALID_ARGUMENT"
    assert "output_data" in details
