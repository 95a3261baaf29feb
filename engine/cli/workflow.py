"""``baton workflow``: start, watch, look at and steer runs."""

from __future__ import annotations

import click

from engine.cli.client import Client
from engine.cli.json_input import read_object
from engine.cli.lifecycle import COMMANDS
from engine.cli.options import client_options
from engine.cli.output import print_done, print_json
from engine.cli.rehearse import rehearse
from engine.cli.search import list_runs, search

_ID = click.argument("workflow_id", metavar="ID")
_ENDS = ["COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR"]


@click.group()
def workflow() -> None:
    """Start, watch and steer workflows."""


@workflow.command()
@click.argument("name")
@click.option("--version", type=int, help="The definition's version.  [default: the latest]")
@click.option("--input", "given", metavar="JSON", help="The input: a file, - for standard input, or '{…}' itself.")
@click.option("--correlation-id", metavar="TEXT", help="Your own mark, to find runs by.")
@click.option("--priority", type=click.IntRange(0, 99), default=0, show_default=True, help="Higher goes first.")
@click.option("--idempotency-key", metavar="TEXT", help="Starting again with the same key gives the same run.")
@click.option("--watch", "follow", is_flag=True, help="Follow the run to its end.")
@client_options
@click.pass_context
def start(
    context: click.Context,
    name: str,
    version: int | None,
    given: str | None,
    correlation_id: str | None,
    priority: int,
    idempotency_key: str | None,
    follow: bool,
    server: str | None,
    output: str,
) -> None:
    """Start a workflow and print the id of its run."""
    wanted = {
        "name": name,
        "version": version,
        "input": read_object(given, "--input"),
        "correlationId": correlation_id,
        "priority": priority,
        "idempotencyKey": idempotency_key,
    }
    with Client(server) as client:
        workflow_id = client.post("workflow", body={key: value for key, value in wanted.items() if value is not None})
        if follow:
            from engine.cli.watch import watch as follow_run

            if output == "text":
                click.echo(workflow_id)
            context.exit(follow_run(client, workflow_id, output))
    if output == "json":
        print_json({"workflowId": workflow_id})
    else:
        click.echo(workflow_id)


@workflow.command()
@_ID
@client_options
@click.pass_context
def watch(context: click.Context, workflow_id: str, server: str | None, output: str) -> None:
    """Follow a run to its end; exits 0, or 10 FAILED, 11 TIMED_OUT, 12 TERMINATED.

    Ctrl-C ends the watching, not the run.
    """
    from engine.cli.watch import watch as follow_run

    with Client(server) as client:
        context.exit(follow_run(client, workflow_id, output))


@workflow.command()
@_ID
@client_options
def show(workflow_id: str, server: str | None, output: str) -> None:
    """Show a run: its steps, input and output."""
    with Client(server) as client:
        run = client.get("workflow", workflow_id)
    if output == "json":
        print_json(run)
        return
    from engine.cli.board import draw
    from engine.cli.output import console

    console().print(draw(run, {}))
    for title in ("input", "variables", "output"):
        if run.get(title):
            click.echo(f"{title.capitalize()}:")
            print_json(run[title])


@workflow.command()
@_ID
@client_options
def pause(workflow_id: str, server: str | None, output: str) -> None:
    """Pause a run: what is being worked on goes on, nothing new begins."""
    with Client(server) as client:
        client.put("workflow", workflow_id, "pause")
    print_done(workflow_id, "paused", output)


@workflow.command()
@_ID
@client_options
def resume(workflow_id: str, server: str | None, output: str) -> None:
    """Let a paused run go on."""
    with Client(server) as client:
        client.put("workflow", workflow_id, "resume")
    print_done(workflow_id, "resumed", output)


@workflow.command()
@_ID
@click.option("--reason", metavar="TEXT", help="Kept with the run.")
@click.option("--failure-workflow", is_flag=True, help="Have the run's failure workflow started too.")
@client_options
def terminate(workflow_id: str, reason: str | None, failure_workflow: bool, server: str | None, output: str) -> None:
    """End a run for good; its open tasks are cancelled."""
    wanted = {"triggerFailureWorkflow": "true"} if failure_workflow else {}
    with Client(server) as client:
        client.delete("workflow", workflow_id, reason=reason, **wanted)
    print_done(workflow_id, "terminated", output)


@workflow.command()
@_ID
@click.option("--resume-children", is_flag=True, help="Let failed child runs go on instead of starting new ones.")
@client_options
def retry(workflow_id: str, resume_children: bool, server: str | None, output: str) -> None:
    """Run the failed tasks of an ended run again."""
    with Client(server) as client:
        client.post("workflow", workflow_id, "retry", resumeSubworkflowTasks=str(resume_children).lower())
    print_done(workflow_id, "is running again", output)


@workflow.command()
@_ID
@click.option("--ref", metavar="NAME", help="The waiting task's reference name.  [default: the first that waits]")
@click.option("--status", type=click.Choice(_ENDS), default="COMPLETED", show_default=True, help="How the task ends.")
@click.option("--data", metavar="JSON", help="The task's output: a file, - for standard input, or '{…}' itself.")
@client_options
def signal(workflow_id: str, ref: str | None, status: str, data: str | None, server: str | None, output: str) -> None:
    """End a task that waits: a WAIT, or a HUMAN's approval."""
    given = read_object(data, "--data")
    with Client(server) as client:
        if ref is None:
            client.post("tasks", workflow_id, status, "signal", body=given)
        else:
            client.post("tasks", workflow_id, ref, status, body=given)
    print_done(workflow_id, "signalled", output)


@workflow.command("message")
@_ID
@click.argument("data", metavar="JSON")
@client_options
def send_message(workflow_id: str, data: str, server: str | None, output: str) -> None:
    """Send a running workflow a message: JSON is a file, - for standard input, or '{…}' itself.

    The first PULL_WORKFLOW_MESSAGES task that waits for one gets it at once, else the next that comes.
    """
    payload = read_object(data, "JSON")
    with Client(server) as client:
        client.post("workflow", workflow_id, "messages", body=payload)
    print_done(workflow_id, "has the message", output)


for _command in (*COMMANDS, list_runs, search, rehearse):
    workflow.add_command(_command)
