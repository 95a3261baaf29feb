"""``baton task``: look at tasks, find them, and report on them."""

from __future__ import annotations

from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import USAGE, Failure
from engine.cli.json_input import read_object
from engine.cli.options import client_options
from engine.cli.output import local_time, print_done, print_json, print_table
from engine.masking import visible

_ID = click.argument("task_id", metavar="ID")

_REPORTABLE = ["COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "IN_PROGRESS", "CANCELED"]


@click.group()
def task() -> None:
    """Look at tasks, find them, and report on them."""


@task.command()
@_ID
@client_options
def show(task_id: str, server: str | None, output: str) -> None:
    """Show a task with its input and output, as JSON."""
    with Client(server) as client:
        print_json(client.get("tasks", task_id))


@task.command("search")
@click.argument("query", required=False, default="")
@click.option("--words", "free_text", metavar="TEXT", default="*", help="Words that stand anywhere in a task.")
@click.option("--sort", metavar="FIELDS", default="", help="As in endTime:DESC.  [default: newest first]")
@click.option("--limit", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many.")
@client_options
def search(query: str, free_text: str, sort: str, limit: int, server: str | None, output: str) -> None:
    """Find tasks by a QUERY such as "taskDefName = resize AND status = FAILED"."""
    with Client(server) as client:
        found = client.get("tasks", "search", query=query, freeText=free_text, sort=sort or None, size=limit)
    if output == "json":
        print_json(found)
        return
    _print_tasks(found["results"], "No task is like that.")


@task.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@client_options
def pending(name: str, limit: int, server: str | None, output: str) -> None:
    """List the open tasks of a name or type."""
    with Client(server) as client:
        found = client.get("admin", "task", name, count=limit)
    if output == "json":
        print_json(found)
        return
    _print_tasks(found, f"No task {name} is open.")


@task.command()
@_ID
@click.option("--status", type=click.Choice(_REPORTABLE, case_sensitive=False), default="COMPLETED", show_default=True)
@click.option("--data", metavar="JSON", help="The output: a file, - for standard input, or '{…}' itself.")
@click.option("--reason", metavar="TEXT", help="Why it has failed.")
@click.option("--later", type=click.IntRange(0), metavar="SECONDS", help="With IN_PROGRESS: when to hand it out again.")
@client_options
def update(
    task_id: str,
    status: str,
    data: str | None,
    reason: str | None,
    later: int | None,
    server: str | None,
    output: str,
) -> None:
    """Report the result of a task in its worker's place."""
    workflow_id, _, number = task_id.rpartition(".")
    if not workflow_id or not number.isdecimal():
        raise Failure(f"{task_id!r} is no id of a task: they are <workflow id>.<number>.", code=USAGE)
    result = {
        "workflowInstanceId": workflow_id,
        "taskId": task_id,
        "status": status.upper(),
        "outputData": read_object(data, "--data"),
        "reasonForIncompletion": reason,
        "callbackAfterSeconds": later,
    }
    with Client(server) as client:
        client.post("tasks", body={name: value for name, value in result.items() if value is not None})
    print_done(task_id, f"is reported {status.upper()}", output)


@task.command()
@_ID
@client_options
def log(task_id: str, server: str | None, output: str) -> None:
    """Show what a task's worker has written to its log."""
    with Client(server) as client:
        found = client.get("tasks", task_id, "log") or []
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("The log is empty.")
    for each in found:
        click.echo(f"{_time(each['createdTime'])}  {visible(each['log'])}")


def _print_tasks(found: list[dict[str, Any]], nothing: str) -> None:
    if not found:
        click.echo(visible(nothing, ""))
        return
    rows = [[each["taskId"], each["taskDefName"], each["status"], _reason(each)] for each in found]
    print_table(["Id", "Name", "Status", "Reason"], rows)


def _reason(found: dict[str, Any]) -> str:
    return str(found.get("reasonForIncompletion") or "")[:120]


def _time(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return local_time(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())
