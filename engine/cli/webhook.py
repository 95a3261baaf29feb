"""``baton webhook``: addresses at which strangers tell of events."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.client import Client
from engine.cli.failure import USAGE, Failure
from engine.cli.options import client_options
from engine.cli.output import print_json, print_table
from engine.errors import BadMessage
from engine.wire.json_text import parse_text

_ID = click.argument("webhook_id", metavar="ID")


@click.group()
def webhook() -> None:
    """Webhooks: addresses at which other services tell of events."""


@webhook.command("list")
@client_options
def list_webhooks(server: str | None, output: str) -> None:
    """List the webhooks with their addresses."""
    with Client(server) as client:
        found = client.get("metadata", "webhook")
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("There are no webhooks yet. Next: baton webhook save FILE")
        return
    rows = [[each["name"], each["verifier"], f"/webhook/{each['id']}"] for each in found]
    print_table(["Name", "Verifier", "Address"], rows)


@webhook.command()
@_ID
@client_options
def show(webhook_id: str, server: str | None, output: str) -> None:
    """Print a webhook as JSON."""
    with Client(server) as client:
        print_json(client.get("metadata", "webhook", webhook_id))


@webhook.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@client_options
def save(file: Path, server: str | None, output: str) -> None:
    """Register the webhook in a file; one with the id of a webhook that exists replaces it."""
    try:
        document = parse_text(file.read_text(), str(file))
    except (BadMessage, UnicodeDecodeError) as error:
        raise Failure(str(error), code=USAGE) from None
    wanted = document.get("id") if isinstance(document, dict) else None
    with Client(server) as client:
        known = wanted and any(each["id"] == wanted for each in client.get("metadata", "webhook"))
        if known:
            stored = client.call("PUT", ("metadata", "webhook", str(wanted)), {}, document)
        else:
            stored = client.post("metadata", "webhook", body=document)
    if output == "json":
        print_json(stored)
    else:
        click.echo(f"Saved. Its address is /webhook/{stored['id']} on the server.")


@webhook.command()
@_ID
@client_options
def delete(webhook_id: str, server: str | None, output: str) -> None:
    """Forget a webhook: its address answers 404 from then on."""
    with Client(server) as client:
        client.delete("metadata", "webhook", webhook_id)
    if output == "json":
        print_json({"deleted": webhook_id})
    else:
        click.echo("Deleted.")
