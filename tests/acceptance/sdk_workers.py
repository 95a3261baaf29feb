"""Workers written with conductor-python, as anybody would write them; the server's URL is the one argument."""

# The SDK reads annotations as they are: it does not know those of ``from __future__``, which are texts.
import asyncio
import sys
import time
from pathlib import Path

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.context import TaskInProgress, get_task_context
from conductor.client.worker.exception import NonRetryableException
from conductor.client.worker.worker_task import worker_task


@worker_task(task_definition_name="sdk_double", thread_count=4)
def double(number: int) -> dict[str, int]:
    return {"number": 2 * number}


@worker_task(task_definition_name="sdk_greet", thread_count=4)
async def greet(who: str) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"greeting": f"Hello, {who}!"}


@worker_task(task_definition_name="sdk_in_blue", domain="blue")
def in_blue() -> dict[str, str]:
    return {"done": "in blue"}


@worker_task(task_definition_name="sdk_patient")
def patient(steps: int) -> dict[str, int] | TaskInProgress:
    polls = get_task_context().get_poll_count()
    if polls < steps:
        return TaskInProgress(callback_after_seconds=1, output={"polls": polls})
    return {"polls": polls}


@worker_task(task_definition_name="sdk_hopeless")
def hopeless() -> None:
    raise NonRetryableException("it will never do")


@worker_task(task_definition_name="sdk_long", lease_extend_enabled=True)
def long(gate: str) -> dict[str, bool]:
    while not Path(gate).exists():
        time.sleep(0.05)
    return {"done": True}


if __name__ == "__main__":
    with TaskHandler(configuration=Configuration(server_api_url=sys.argv[1] + "/api")) as handler:
        handler.start_processes()
        handler.join_processes()
