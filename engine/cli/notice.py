"""``baton notice``: what waits for listeners that are away."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from engine.cli.client import Client
from engine.cli.options import client_options
from engine.cli.output import local_time, print_json, print_table
from engine.masking import visible

_SINK = click.argument("sink")


@click.group()
def notice() -> None:
    """Look at notices that their sinks have not taken yet, and send or drop them."""


@notice.command("list")
@client_options
def list_notices(server: str | None, output: str) -> None:
    """List the sinks that are waited for, and the notices that have waited longest."""
    with Client(server) as client:
        found = client.get("admin", "notices")
    if output == "json":
        print_json(found)
        return
    if not found["sinks"]:
        click.echo("No notice waits for its sink.")
        return
    print_table(["Sink", "Waiting"], [[each["sink"], f"{each['waiting']:,}"] for each in found["sinks"]])
    click.echo()
    rows = [
        [
            each["topic"],
            each["sink"],
            _time(each["since"]),
            str(each["attempts"]),
            _time(each["due"]),
            each["reason"][:120],
        ]
        for each in found["results"]
    ]
    print_table(["Notice", "Sink", "Since", "Attempts", "Next", "Reason"], rows)
    if found["totalHits"] > len(rows):
        click.echo(f"{len(rows)} of {found['totalHits']:,}.")


@notice.command()
@_SINK
@client_options
def send(sink: str, server: str | None, output: str) -> None:
    """Send at once what waits for a sink, instead of at its next turn."""
    with Client(server) as client:
        found = client.post("admin", "notices", "send", body={"sink": sink})
    if output == "json":
        print_json(found)
    else:
        click.echo(visible(f"{_many(found['sent'])} for {sink} will be sent at once.", ""))


@notice.command()
@_SINK
@client_options
def drop(sink: str, server: str | None, output: str) -> None:
    """Forget what waits for a sink that will never come back."""
    with Client(server) as client:
        found = client.post("admin", "notices", "drop", body={"sink": sink})
    if output == "json":
        print_json(found)
    else:
        click.echo(visible(f"{_many(found['dropped'])} for {sink} dropped.", ""))


def _many(count: int) -> str:
    return f"{count:,} notice{'' if count == 1 else 's'}"


def _time(milliseconds: int) -> str:
    return local_time(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())
