"""``baton dead``: look at messages that could not be carried out, and send them back once they can."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from engine.cli.client import Client
from engine.cli.options import client_options
from engine.cli.output import local_time, print_json, print_table
from engine.masking import visible

_LETTER = click.argument("letter", metavar="ID")


@click.group()
def dead() -> None:
    """Look at messages that could not be carried out, and send them back."""


@dead.command("list")
@client_options
def list_letters(server: str | None, output: str) -> None:
    """List the dead letters with their reasons, oldest first."""
    with Client(server) as client:
        found = client.get("admin", "dead")
    if output == "json":
        print_json(found)
        return
    if not found["results"]:
        click.echo("There are no dead letters.")
        return
    rows = [[each["id"], each["from"], _time(each["at"]), each["reason"][:120]] for each in found["results"]]
    print_table(["Id", "From", "At", "Reason"], rows)
    if found["totalHits"] > len(rows):
        click.echo(f"{len(rows)} of {found['totalHits']:,}.")
    click.echo("'baton dead show ID' says what to do about one.")


@dead.command()
@_LETTER
@client_options
def show(letter: str, server: str | None, output: str) -> None:
    """Show a dead letter whole."""
    with Client(server) as client:
        found = client.get("admin", "dead", letter)
    if output == "json":
        print_json(found)
        return
    click.echo(f"Reason: {visible(found['reason'])}")
    click.echo(f"From:   {visible(found['from'] or 'unknown', '')}, {_time(found['at']) or 'unknown when'}")
    click.echo(f"Next:   {visible(found['next'])}")
    click.echo(f"Body ({found['bytes']:,} bytes):")
    click.echo(visible(found["body"]))


@dead.command()
@_LETTER
@client_options
def requeue(letter: str, server: str | None, output: str) -> None:
    """Send a dead letter back to the queue it came from."""
    with Client(server) as client:
        found = client.post("admin", "dead", letter, "requeue")
    if output == "json":
        print_json(found)
    else:
        click.echo(visible(f"{letter} is back in {found['queue']}", ""))


def _time(milliseconds: int) -> str:
    return local_time(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()) if milliseconds else ""
