"""``baton queue``: how much waits in the task queues, who polls them, and what is sent again."""

from __future__ import annotations

import click

from engine.cli.client import Client
from engine.cli.options import client_options
from engine.cli.output import local_time, print_json, print_table


@click.group()
def queue() -> None:
    """Task queues: how much waits, and who polls."""


@queue.command("list")
@client_options
def list_queues(server: str | None, output: str) -> None:
    """List the task queues with what waits in them and what is under way."""
    with Client(server) as client:
        found = client.get("tasks", "queue", "all", "verbose")
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("No task was sent to any queue yet.")
        return
    rows = [
        [name, *(f"{sum(shard[part] for shard in shards.values()):,}" for part in ("size", "uacked"))]
        for name, shards in sorted(found.items())
    ]
    print_table(["Queue", "Waiting", "Under way"], rows)


@queue.command()
@click.argument("name", required=False)
@client_options
def polls(name: str | None, server: str | None, output: str) -> None:
    """List who has polled last, for one type of task or for all."""
    with Client(server) as client:
        if name is None:
            found = client.get("tasks", "queue", "polldata", "all")
        else:
            found = client.get("tasks", "queue", "polldata", taskType=name)
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("Nobody has polled; Celery's workers are seen by 'baton doctor'.")
        return
    rows = [
        [each["queueName"], each.get("domain") or "", each.get("workerId") or "", _time(each["lastPollTime"])]
        for each in found
    ]
    print_table(["Queue", "Domain", "Worker", "Last poll"], rows)


@queue.command()
@click.argument("name")
@client_options
def requeue(name: str, server: str | None, output: str) -> None:
    """Send the tasks of a type again whose messages the broker has lost."""
    with Client(server) as client:
        count = int(client.post("tasks", "queue", "requeue", name))
    if output == "json":
        print_json({"queue": name, "sentAgain": count})
    else:
        click.echo(f"{count:,} tasks of {name} are sent again.")


def _time(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return local_time(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())
