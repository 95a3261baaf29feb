"""``baton event``: event handlers, and what they have done about which message."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import CONFLICT, USAGE, Failure
from engine.cli.json_input import read_documents
from engine.cli.options import client_options
from engine.cli.output import local_time, print_json, print_table
from engine.masking import visible

_NAME = click.argument("name")


@click.group()
def event() -> None:
    """Event handlers: what is done when a message arrives."""


@event.command("list")
@client_options
def list_handlers(server: str | None, output: str) -> None:
    """List the event handlers."""
    with Client(server) as client:
        found = client.get("event")
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("There are no event handlers yet. Next: baton event save FILE")
        return
    rows = [
        [
            each["name"],
            each["event"],
            "yes" if each.get("active") else "no",
            ", ".join(action["action"] for action in each["actions"]),
        ]
        for each in found
    ]
    print_table(["Name", "Event", "Active", "Actions"], rows)


@event.command()
@_NAME
@client_options
def show(name: str, server: str | None, output: str) -> None:
    """Print an event handler as JSON."""
    with Client(server) as client:
        print_json(client.get("event", "handler", name))


@event.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@client_options
def save(files: tuple[str, ...], server: str | None, output: str) -> None:
    """Register the handlers in files, each one or a list.

    A handler of the same name is replaced.
    """
    handlers = [handler for file in files for handler in _read(Path(file))]
    with Client(server) as client:
        for handler in handlers:
            save_handler(client, handler)
    if output == "json":
        print_json([handler.get("name") for handler in handlers])
        return
    for handler in handlers:
        asleep = "" if handler.get("active") else ', but it is not active: set "active" to true in its file'
        click.echo(visible(f"The event handler {handler.get('name')} is saved{asleep}."))


@event.command()
@_NAME
@client_options
def delete(name: str, server: str | None, output: str) -> None:
    """Forget an event handler."""
    with Client(server) as client:
        client.delete("event", name)
    if output == "json":
        print_json({"name": name})
    else:
        click.echo(visible(f"The event handler {name} is gone."))


@event.command()
@click.option("--handler", help="Only those of this handler.")
@click.option("--status", type=click.Choice(["COMPLETED", "FAILED", "SKIPPED"], case_sensitive=False))
@click.option("--size", type=click.IntRange(1, 5_000), default=50, show_default=True)
@client_options
def executions(handler: str | None, status: str | None, size: int, server: str | None, output: str) -> None:
    """List what event handlers have done, newest first."""
    with Client(server) as client:
        found = client.get("event", "execution", handler=handler, status=status, size=size)
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("No event handler has done anything yet.")
        return
    rows = [
        [_time(each["created"]), each["name"], each["messageId"], each["action"] or "", each["status"], _result(each)]
        for each in found
    ]
    print_table(["At", "Handler", "Message", "Action", "Status", "Result"], rows)


def save_handler(client: Client, handler: dict[str, Any]) -> None:
    """Register a handler, in place of one of the same name."""
    try:
        client.post("event", body=handler)
    except Failure as failure:
        if failure.code != CONFLICT:
            raise
        client.call("PUT", ("event",), {}, handler)


def _read(file: Path) -> list[dict[str, Any]]:
    found = read_documents(file)
    if not found or not all(isinstance(each, dict) for each in found):
        raise Failure(f"{file} holds no event handler: a JSON object, or a list of them.", code=USAGE)
    return found


def _result(execution: dict[str, Any]) -> str:
    output = execution["output"]
    return str(output.get("error") or output.get("taskId") or output.get("workflowId") or "")[:120]


def _time(milliseconds: int) -> str:
    return local_time(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())
