"""A story that leaves rows and messages of every kind: runs at each of many stations, and how they all come to an end.

It uses nothing but what every version of the harness has, because the versions to come shall read what this one wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from engine.model.event import Wake
from engine.model.request import Request
from engine.store.port import WorkflowQuery
from engine.testing.harness import Harness, result_message
from engine.wire.message import Delivery, Message, events_queue
from engine.wire.request_message import encode_request, encode_wake

#: More stations than these runs are long, so that each stands somewhere else.
TOURS = 10


def step(ref: str, kind: str = "SIMPLE", **fields: Any) -> dict[str, Any]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


def given(**inputs: Any) -> dict[str, Any]:
    return {"inputParameters": inputs}


PARCEL = {
    "name": "parcel",
    "version": 3,
    "tasks": [step("pack", **given(n="${workflow.input.n}")), step("rest", "WAIT", **given(duration="20 seconds"))],
    "outputParameters": {"packed": "${pack.output.n}"},
}

TOUR = {
    "name": "tour",
    "description": "Every kind of task, one after the other: Grüße, ☃",
    "version": 1,
    "tasks": [
        step("reserve", **given(n="${workflow.input.n}")),
        step(
            "way",
            "SWITCH",
            evaluatorType="javascript",
            expression="$.n % 2 ? 'odd' : 'even'",
            decisionCases={"odd": [step("left_odd", **given(n=1)), step("nothing", "NOOP")]},
            defaultCase=[step("left_even", optional=True, **given(n=2))],
            **given(n="${workflow.input.n}"),
        ),
        step(
            "fork",
            "FORK_JOIN",
            forkTasks=[
                [step("left")],
                [step("child", "SUB_WORKFLOW", subWorkflowParam={"name": "parcel"}, **given(n="${workflow.input.n}"))],
                [step("pause_a_while", "WAIT", **given(duration="30 seconds"))],
            ],
        ),
        step("join", "JOIN", joinOn=["left", "child", "pause_a_while"]),
        step("loop", "DO_WHILE", loopCondition="$.loop.iteration < 2", loopOver=[step("knock", **given(n="${loop}"))]),
        step(
            "many",
            "FORK_JOIN_DYNAMIC",
            dynamicForkTasksParam="tasks",
            dynamicForkTasksInputParamName="inputs",
            **given(
                tasks=[step("left", taskReferenceName="dyn_a"), step("left", taskReferenceName="dyn_b")],
                inputs={"dyn_a": {"x": 1}, "dyn_b": {"x": [None, True, "Größe"]}},
            ),
        ),
        step("many_join", "JOIN"),
        step("remember", "SET_VARIABLE", **given(kept="${join.output.child.packed}")),
        step("script", "INLINE", **given(evaluatorType="javascript", expression="1 + 1")),
        step("query", "JSON_JQ_TRANSFORM", **given(queryExpression=".a", a=1)),
        step("call", "HTTP", **given(http_request={"uri": "http://example.com", "method": "GET"})),
        step("tell", "EVENT", sink="rabbitmq:news", **given(a=1)),
        step("any", "DYNAMIC", dynamicTaskNameParam="taskToExecute", **given(taskToExecute="left")),
        step("aside", "START_WORKFLOW", **given(startWorkflow={"name": "parcel", "input": {"n": 99}})),
        step("person", "HUMAN"),
    ],
    "outputParameters": {"kept": "${workflow.variables.kept}", "said": "${person.output.said}"},
}

DOOMED = {"name": "doomed", "version": 1, "tasks": [step("break")], "failureWorkflow": "repair"}
REPAIR = {"name": "repair", "version": 1, "tasks": [step("left"), step("end", "TERMINATE", **given(
    terminationStatus="COMPLETED", workflowOutput={"repaired": "${workflow.input.reason}"}
))]}  # fmt: skip

ASKED = {"name": "asked", "version": 1, "tasks": [step("person", "HUMAN")]}

TASKS = [
    {"name": "reserve", "retryCount": 2, "retryDelaySeconds": 5, "responseTimeoutSeconds": 600},
    {"name": "knock", "retryCount": 1, "timeoutSeconds": 7200, "pollTimeoutSeconds": 7200},
    {"name": "pack", "inputTemplate": {"paper": "brown"}},
]


def _reserve(n: Any, attempt: int) -> Mapping[str, Any] | None:
    """Fail the first attempt of every third run."""
    return None if n % 3 == 0 and attempt == 0 else {"reserved": n}


def _echo(task_input: Mapping[str, Any], _: int) -> Mapping[str, Any] | None:
    return {"echo": dict(task_input)}


#: Who serves which queue: input and attempt in, output out; None is a failure.
WORKERS: Mapping[str, Callable[[Any, int], Mapping[str, Any] | None]] = {
    "reserve": lambda task_input, attempt: _reserve(task_input["n"], attempt),
    "left_odd": _echo,
    "left_even": lambda *_: None,
    "left": _echo,
    "pack": lambda task_input, _: task_input,
    "knock": _echo,
    "break": lambda *_: None,
    "system.inline": _echo,
    "system.json_jq_transform": _echo,
    "system.http": _echo,
    "system.event": _echo,
}


def begin(harness: Harness) -> list[Message]:
    """Bring runs to every station, ask for every operation, and leave messages of every kind in the queues.

    Returns what was handled last: all of it would come again, had the decider died just before its ack.
    """
    harness.register(PARCEL, TOUR, DOOMED, REPAIR, ASKED, tasks=TASKS)
    for number in range(3):
        harness.start("doomed", {"n": number}, workflow_id=f"doomed-{number}", priority=50)
        for _ in range(5):
            answer(harness, harness.take("break"))
            harness.advance(61)
    for number in range(TOURS):
        harness.start("tour", {"n": number, "text": "Grüße\u0000☃"}, workflow_id=f"tour-{number}", correlation_id="all")
        for _ in range(3 if number < TOURS // 2 else 1):
            answer(harness, harness.take(*WORKERS))
        harness.advance(4)
        if number % 2:
            _say_to_people(harness, only="tour-1")
    harness.start("asked", workflow_id="asked-0")
    harness.request("tour-4", "pause")
    harness.request("tour-5", "pause")
    harness.request("tour-5", "resume")
    harness.request("tour-6", "terminate", reason="enough")
    harness.request("doomed-1", "retry")
    harness.request("tour-0", "signal", output={"said": "early"})
    _use_the_machinery(harness)
    return _stop_half_way(harness)


def _use_the_machinery(harness: Harness) -> None:
    """Do what the processes around the road do with the database."""
    now = harness.clock.now()
    for owner in ("box-1", "box-2", "box-1"):
        with harness.store.transaction() as transaction:
            transaction.share_leases(owner, now, 15, 8)
            transaction.put_setting("partitions", "8")
            transaction.saw_empty({"left": now})
            transaction.queue_names()
            transaction.statistics()
    with harness.store.transaction() as transaction:
        transaction.release_leases("box-1")
        transaction.requests("tour-4")
        transaction.find(WorkflowQuery(name="tour", statuses=("RUNNING",), correlation_id="all", size=3))
        transaction.unregister_workflow("none", 1)
        transaction.unregister_task("none")


def _stop_half_way(harness: Harness) -> list[Message]:
    """Handle one batch and leave what it leads to undone, with more of every kind behind it."""
    outside = harness.broker.connect()
    harness.clock.advance(17)
    with harness.store.transaction() as transaction:
        due = transaction.ring(harness.clock.now(), 1, 100)
    for each in due:
        wake = Wake(event_id=f"{each.workflow_id}/{each.wake_at}/late", workflow_id=each.workflow_id)
        outside.publish([encode_wake(wake, 1)])
    outside.publish(_results(harness.take(*WORKERS)))
    batch = harness.road.receive(1_000, 0)
    harness.executor.handle(batch)
    outside.publish(_results(harness.take(*WORKERS)[:4]))
    for number in range(100, 103):
        start = msgspec.json.encode({"name": "tour", "workflowId": f"tour-{number}", "input": {"n": number}})
        outside.publish([Message(queue="baton.start", body=start, message_id=f"start {number}")])
    for verb, subject in (("terminate", "tour-9"), ("pause", "tour-10"), ("no such verb", "tour-2")):
        request = Request(event_id=f"late {verb}", workflow_id=subject, verb=verb, by="Ann", reply_to="baton.reply.x")
        outside.publish([encode_request(request, 1)])
    outside.publish([encode_wake(Wake(event_id="tour-3/late", workflow_id="tour-3", resend=True), 1)])
    outside.close()
    return [delivery.message for delivery in batch]


def finish(harness: Harness) -> dict[str, Any]:
    """Let everything come to its end; return each run's name, status and output."""
    harness.carry()
    for _ in range(200):
        while taken := harness.take(*WORKERS):
            answer(harness, taken)
        with harness.store.transaction() as transaction:
            still_open = transaction.open_workflow_ids("", 1_000)
        if not still_open:
            break
        for workflow_id in still_open:
            if harness.run(workflow_id).status == "PAUSED":
                harness.request(workflow_id, "resume")
            _say_to_people(harness, only=workflow_id)
        harness.advance(45)
    return ends(harness)


def ends(harness: Harness) -> dict[str, Any]:
    """Return each run's name, status, output and the outcome of each of its tasks."""
    with harness.store.transaction() as transaction:
        _, found = transaction.find(WorkflowQuery(size=1_000))
        rows = transaction.load([workflow.id for workflow in found])
    return {
        workflow.id: {
            "name": workflow.name,
            "status": workflow.status.value,
            "output": workflow.output,
            "tasks": sorted([task.ref, task.attempt, task.status.value] for task in rows[workflow.id].tasks),
        }
        for workflow in sorted(found, key=lambda each: each.id)
    }


def answer(harness: Harness, taken: Sequence[Delivery]) -> None:
    """Answer as workers would."""
    harness.publish(*_results(taken))


def waiting(harness: Harness) -> list[Message]:
    """Return every message that waits in a queue."""
    return [entry.message for queue in harness.broker.queues.values() for entry in queue.entries()]


def _results(taken: Sequence[Delivery]) -> list[Message]:
    return [_result(delivery) for delivery in taken]


def _result(delivery: Delivery) -> Message:
    _, task_input, _ = msgspec.json.decode(delivery.message.body)
    headers = delivery.message.headers
    output = WORKERS[delivery.queue](task_input, int(str(headers["attempt"])))
    failure = {"exc_type": "ValueError", "exc_message": ["no luck"], "exc_module": "builtins"}
    success = {"status": "SUCCESS", "result": output, "traceback": None}
    body = success if output is not None else {"status": "FAILURE", "result": failure, "traceback": "Traceback …"}
    assert delivery.message.reply_to == events_queue(0)
    return result_message(delivery, {**body, "task_id": headers["id"], "children": []})


def _say_to_people(harness: Harness, only: str) -> None:
    """Answer a HUMAN task of this run, if one waits."""
    if any(task.type == "HUMAN" and task.status.is_open for task in harness.rows(only).tasks):
        harness.request(only, "update_task", ref="person", status="COMPLETED", output={"said": f"yes to {only}"})
