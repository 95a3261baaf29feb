"""conductor-python, unmodified, executes workflows and signals them: it is answered when they have come to rest."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conductor.client.configuration.configuration import Configuration
from conductor.client.http.models import StartWorkflowRequest
from conductor.client.http.rest import ApiException
from conductor.client.workflow.executor.workflow_executor import WorkflowExecutor

from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, workflow

#: Seconds that a request waits for what is sure to come.
LONG = 60

DIALOGUE = workflow(
    "dialogue",
    {"name": "name", "taskReferenceName": "name", "type": "WAIT"},
    simple("add", left="${name.output.number}", right=1),
    {"name": "sure", "taskReferenceName": "sure", "type": "HUMAN", "inputParameters": {"sum": "${add.output.sum}"}},
    outputParameters={"sum": "${add.output.sum}", "sure": "${sure.output.sure}"},
)


def executor_of(url: str) -> WorkflowExecutor:
    return WorkflowExecutor(Configuration(server_api_url=f"{url}/api"))


@pytest.fixture(scope="module")
def stack(small: Stack) -> Stack:
    adding = workflow("adding", simple("add", left="${workflow.input.left}", right=2))
    parent = workflow(
        "outer",
        {"name": "in", "taskReferenceName": "in", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "dialogue"}},
    )
    lonely = workflow("lonely", simple("nobody_takes_this"))
    more = workflow("more", simple("add", left="${workflow.input.left}", right=2), simple("nobody_takes_this"))
    small.define(adding, DIALOGUE, parent, lonely, more, tasks=[task_def("add"), task_def("nobody_takes_this")])
    return small


@pytest.fixture(scope="module")
def executor(stack: Stack) -> WorkflowExecutor:
    return executor_of(stack.url)


@pytest.fixture(scope="module")
def other(stack: Stack) -> Iterator[WorkflowExecutor]:
    """Return the SDK at another server of the same stack."""
    server, url = stack.serve_beside()
    yield executor_of(url)
    server.ask_to_stop()
    server.end()


def asked(name: str, **fields: Any) -> StartWorkflowRequest:
    return StartWorkflowRequest(name=name, version=1, **fields)


def test_a_run_that_workers_carry_to_its_end_is_returned(executor: WorkflowExecutor) -> None:
    run = executor.execute("adding", 1, {"left": 1}, wait_for_seconds=LONG, request_id="mine", correlation_id="c")
    assert (run.status, run.output, run.request_id, run.correlation_id) == ("COMPLETED", {"sum": 3}, "mine", "c")
    assert run.is_completed() and run.is_successful()
    assert [task.reference_task_name for task in run.tasks] == ["add"]

    again = executor.execute_workflow(asked("adding", input={"left": 2}), wait_for_seconds=LONG)
    assert again.output == {"sum": 4}


def test_a_run_that_nobody_carries_is_returned_as_it_is_when_the_time_is_up(executor: WorkflowExecutor) -> None:
    run = executor.execute("lonely", 1, wait_for_seconds=1)
    assert (run.status, run.is_running()) == ("RUNNING", True)
    task = executor.execute_workflow_with_return_strategy(
        asked("lonely"), wait_for_seconds=1, return_strategy="BLOCKING_TASK"
    )
    assert (task.reference_task_name, str(task.status.value)) == ("nobody_takes_this", "SCHEDULED")


def test_a_dialogue_takes_one_call_for_each_step(executor: WorkflowExecutor) -> None:
    first = executor.execute_workflow_with_return_strategy(
        asked("dialogue"), wait_for_seconds=LONG, return_strategy="BLOCKING_TASK"
    )
    assert (first.response_type, first.reference_task_name) == ("BLOCKING_TASK", "name")
    run = first.target_workflow_id

    second = executor.signal(run, "COMPLETED", {"number": 4}, "BLOCKING_TASK_INPUT")
    assert (second.reference_task_name, second.input) == ("sure", {"sum": 5})
    last = executor.signal(run, "COMPLETED", {"sure": True}, "TARGET_WORKFLOW")
    assert (last.status.value, last.output) == ("COMPLETED", {"sum": 5, "sure": True})
    assert [task["referenceTaskName"] for task in last.tasks] == ["name", "add", "sure"]


def test_what_holds_a_run_up_below_is_found(executor: WorkflowExecutor) -> None:
    held = executor.execute_workflow_with_return_strategy(
        asked("outer"), wait_for_seconds=LONG, return_strategy="BLOCKING_WORKFLOW"
    )
    assert held.workflow_id != held.target_workflow_id
    assert executor.get_workflow(held.workflow_id, False).workflow_name == "dialogue"


def test_the_end_of_a_named_task_is_enough(executor: WorkflowExecutor) -> None:
    run = executor.execute("more", 1, {"left": 5}, wait_until_task_ref="never,add", wait_for_seconds=LONG)
    assert [(task.reference_task_name, task.status) for task in run.tasks] == [
        ("add", "COMPLETED"),
        ("nobody_takes_this", "SCHEDULED"),
    ]


def test_a_report_by_name_is_answered_with_the_run(executor: WorkflowExecutor) -> None:
    run = executor.execute("dialogue", 1, wait_for_seconds=LONG)
    told = executor.update_task_by_ref_name_sync({"number": 1}, run.workflow_id, "name", "COMPLETED")
    assert (told.status, told.tasks[0].status) == ("RUNNING", "COMPLETED")


def test_a_signal_need_not_be_waited_for_and_one_for_nobody_is_refused(
    stack: Stack, executor: WorkflowExecutor
) -> None:
    run = executor.execute("dialogue", 1, wait_for_seconds=LONG).workflow_id
    executor.signal_async(run, "COMPLETED", {"number": 1})
    stack.when(run, "is asked whether it is sure", lambda run: len(run["tasks"]) == 3)
    executor.signal_async(run, "COMPLETED", {})
    stack.ended(run)
    with pytest.raises(ApiException) as refused:
        executor.signal(run, "COMPLETED", {})
    assert refused.value.status == 409


def test_who_waits_at_one_server_hears_of_what_is_done_at_another(
    stack: Stack, executor: WorkflowExecutor, other: WorkflowExecutor
) -> None:
    run = executor.start_workflow(asked("lonely"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            executor.execute_workflow, asked("lonely", correlation_id="two"), wait_for_seconds=LONG
        )

        def found() -> list[Any]:
            query = {"query": "correlationId=two"}
            return stack.call("GET", "/api/workflow/search", params=query).json()["results"]

        until("the run is there", lambda: bool(found()))
        other.update_task_by_ref_name({}, found()[0]["workflowId"], "nobody_takes_this", "COMPLETED")
        assert waiting.result().status == "COMPLETED"
    other.terminate(run)
