"""Workers over gRPC on real servers: one that polls for single tasks, one that polls for batches, beside Celery's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict

from engine.api.grpc.messages import message_class
from tests.acceptance.stack import Stack, simple, task_def, workflow

PACKAGE = "conductor.grpc.tasks"


class Worker:
    """Takes tasks over a channel of its own and reports what a function makes of their inputs."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.name = name
        self.channel = grpc.insecure_channel(f"127.0.0.1:{stack.environment['BATON_GRPC_PORT']}")

    def poll(self, kind: str) -> dict[str, Any]:
        """Poll for single tasks until one comes."""
        answer: dict[str, Any] = {}
        while "task" not in answer:
            (answer,) = self._call("Poll", "PollRequest", "PollResponse", taskType=kind, workerId=self.name)
        found: dict[str, Any] = answer["task"]
        return found

    def batch(self, kind: str, count: int) -> list[dict[str, Any]]:
        """Poll for batches until so many tasks have come."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            wanted = {"taskType": kind, "workerId": self.name, "count": count - len(found), "timeout": 5000}
            found += self._call("BatchPoll", "BatchPollRequest", "conductor.proto.Task", **wanted)
        return found

    def complete(self, task: dict[str, Any], **output: Any) -> None:
        result = {"taskId": task["taskId"], "workflowInstanceId": task["workflowInstanceId"], "workerId": self.name}
        told = {**result, "status": "COMPLETED", "outputData": output}
        self._call("UpdateTask", "UpdateTaskRequest", "UpdateTaskResponse", result=told)

    def _call(self, method: str, request: str, answer: str, **fields: Any) -> list[dict[str, Any]]:
        content = ParseDict(fields, message_class(f"{PACKAGE}.{request}")()).SerializeToString()
        read = message_class(answer if "." in answer else f"{PACKAGE}.{answer}").FromString
        path = f"/{PACKAGE}.TaskService/{method}"
        if method == "BatchPoll":
            return [MessageToDict(each) for each in self.channel.unary_stream(path, None, read)(content, timeout=60)]
        return [MessageToDict(self.channel.unary_unary(path, None, read)(content, timeout=60))]


@pytest.fixture(scope="module")
def worker(small: Stack) -> Iterator[Worker]:
    found = Worker(small, "grpc")
    yield found
    found.channel.close()


def test_one_workflow_is_carried_by_celery_and_over_grpc(small: Stack, worker: Worker) -> None:
    steps = [
        simple("add", left="${workflow.input.number}", right=1),
        simple("grpc_double", number="${add.output.sum}"),
        simple("grpc_square", number="${grpc_double.output.number}"),
    ]
    small.define(
        workflow("celery_and_grpc", *steps, outputParameters={"number": "${grpc_square.output.number}"}),
        tasks=[task_def(name) for name in ("add", "grpc_double", "grpc_square")],
    )
    runs = [small.start("celery_and_grpc", input={"number": number}) for number in range(3)]
    for _ in runs:
        task = worker.poll("grpc_double")
        assert task["workerId"] == "grpc"
        worker.complete(task, number=2 * task["inputData"]["number"])
    for task in worker.batch("grpc_square", len(runs)):
        worker.complete(task, number=task["inputData"]["number"] ** 2)
    assert [small.ended(run)["output"] for run in runs] == [{"number": (2 * (number + 1)) ** 2} for number in range(3)]
