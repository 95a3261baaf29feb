"""``baton workflow restart``, ``rerun`` and their kin: take runs up anew, and look at what they have been."""

from __future__ import annotations

from typing import Any

import click

from engine.cli.client import Client
from engine.cli.json_input import read_object
from engine.cli.options import client_options
from engine.cli.output import local_time, print_done, print_json, print_table

_ID = click.argument("workflow_id", metavar="ID")


@click.command()
@_ID
@click.option("--latest", is_flag=True, help="Go by the definition that is registered now.")
@client_options
def restart(workflow_id: str, latest: bool, server: str | None, output: str) -> None:
    """Begin a run that has ended anew, from its first step."""
    with Client(server) as client:
        client.post("workflow", workflow_id, "restart", useLatestDefinitions=latest)
    print_done(workflow_id, "begins anew", output)


@click.command()
@_ID
@click.option("--task", metavar="TASK_ID", help="Do over from this task on, also one of a run below.  [default: all]")
@click.option("--task-input", metavar="JSON", help="The task's input: a file, - for standard input, or '{…}' itself.")
@click.option("--input", "given", metavar="JSON", help="Another input for the run.")
@click.option("--correlation-id", metavar="TEXT", help="Another mark for the run.")
@client_options
def rerun(
    workflow_id: str,
    task: str | None,
    task_input: str | None,
    given: str | None,
    correlation_id: str | None,
    server: str | None,
    output: str,
) -> None:
    """Do a run that has ended over, from one of its tasks on."""
    wanted = {
        "reRunFromTaskId": task,
        "taskInput": None if task_input is None else read_object(task_input, "--task-input"),
        "workflowInput": None if given is None else read_object(given, "--input"),
        "correlationId": correlation_id,
    }
    with Client(server) as client:
        body = {name: value for name, value in wanted.items() if value is not None}
        client.post("workflow", workflow_id, "rerun", body=body)
    print_done(workflow_id, "is running again", output)


@click.command()
@_ID
@click.argument("ref", metavar="NAME")
@click.option("--data", metavar="JSON", help="The output in its place: a file, - for standard input, or '{…}' itself.")
@client_options
def skip(workflow_id: str, ref: str, data: str | None, server: str | None, output: str) -> None:
    """Pass over a step that a run has not come to yet, named by its reference name."""
    body = None if data is None else {"taskOutput": read_object(data, "--data")}
    with Client(server) as client:
        client.call("PUT", ("workflow", workflow_id, "skiptask", ref), {}, body)
    print_done(workflow_id, f"will skip {ref}", output)


@click.command()
@_ID
@click.argument("ref", metavar="NAME")
@click.option("--input", "given", metavar="JSON", help="Its input: a file, - for standard input, or '{…}' itself.")
@client_options
def jump(workflow_id: str, ref: str, given: str | None, server: str | None, output: str) -> None:
    """Have a running run go on at another step, named by its reference name."""
    with Client(server) as client:
        client.post("workflow", workflow_id, "jump", ref, body=read_object(given, "--input"))
    print_done(workflow_id, f"goes on at {ref}", output)


@click.command()
@_ID
@click.option("--version", type=int, help="The version to go by.  [default: the latest]")
@client_options
def upgrade(workflow_id: str, version: int | None, server: str | None, output: str) -> None:
    """Have an open run go on by another version of its definition."""
    with Client(server) as client:
        client.post("workflow", workflow_id, "upgrade", body={"version": version})
    print_done(workflow_id, "goes by the other version", output)


@click.command()
@_ID
@click.option("--no-archive", is_flag=True, help="Keep nothing of it; a run that is open is terminated first.")
@click.confirmation_option(prompt="Its rows will be deleted. Go on?")
@client_options
def remove(workflow_id: str, no_archive: bool, server: str | None, output: str) -> None:
    """Delete a run that has ended; what can be read of it is kept in the archive."""
    with Client(server) as client:
        client.delete("workflow", workflow_id, "remove", archiveWorkflow=not no_archive)
    print_done(workflow_id, "is removed", output)


@click.command()
@_ID
@client_options
def decide(workflow_id: str, server: str | None, output: str) -> None:
    """Have a running run looked at afresh from its rows."""
    with Client(server) as client:
        client.put("workflow", "decide", workflow_id)
    print_done(workflow_id, "is looked at", output)


@click.command()
@_ID
@client_options
def history(workflow_id: str, server: str | None, output: str) -> None:
    """Show what a run was before it was restarted or done over, and who has asked for what."""
    with Client(server) as client:
        rounds = client.get("workflow", workflow_id, "history")
        requests = client.get("workflow", workflow_id, "requests")
    if output == "json":
        print_json({"rounds": rounds, "requests": requests})
        return
    for each in rounds:
        click.echo(f"Until {local_time(each['supersededTime'])} it was {each['status']}:")
        print_table(["Task", "Name", "Status", "Reason"], [_task_row(task) for task in each["tasks"]])
    if not rounds:
        click.echo("It was never done over.")
    if requests:
        print_table(["Asked", "For", "By", "Answer"], [_request_row(each) for each in requests])


def _task_row(task: dict[str, Any]) -> list[str]:
    reason = str(task.get("reasonForIncompletion") or "")[:80]
    return [task["taskId"].rpartition(".")[2], task["referenceTaskName"], task["status"], reason]


def _request_row(each: dict[str, Any]) -> list[str]:
    answer = "granted" if each["granted"] else f"{each['code']}: {each['message']}"[:80]
    return [local_time(each["time"]), each["request"], str(each["by"] or ""), answer]


#: What this page adds to ``baton workflow``.
COMMANDS = (restart, rerun, skip, jump, upgrade, remove, decide, history)
