"""``baton profile``: servers by name, with the headers that a proxy in front of them wants."""

from __future__ import annotations

import click

from engine.cli import profiles
from engine.cli.failure import NOT_FOUND, USAGE, Failure
from engine.cli.options import output_option
from engine.cli.output import print_json, print_table

_NAME = click.argument("name")


@click.group()
def profile() -> None:
    """Servers by name: 'baton --profile NAME …', or BATON_PROFILE."""


@profile.command("list")
@output_option
def list_profiles(output: str) -> None:
    """List the profiles; of headers the names only."""
    found = profiles.read()
    if output == "json":
        print_json({name: {"server": each.server, "headers": sorted(each.headers)} for name, each in found.items()})
        return
    if not found:
        click.echo("There are no profiles yet. Next: baton profile save NAME URL")
        return
    print_table(
        ["Name", "Server", "Headers"], [[n, each.server, ", ".join(sorted(each.headers))] for n, each in found.items()]
    )


@profile.command()
@_NAME
@click.argument("url")
@click.option("--header", "headers", metavar="NAME:VALUE", multiple=True, help="To be sent with every call.")
def save(name: str, url: str, headers: tuple[str, ...]) -> None:
    """Keep a server under a name; one of the same name is replaced."""
    given = {}
    for header in headers:
        key, colon, value = header.partition(":")
        if not colon or not key.strip():
            raise Failure(f"{key!r} is no header: write it as 'Name: value'.", code=USAGE)
        given[key.strip()] = value.strip()
    profiles.write({**profiles.read(), name: profiles.Profile(url, given)})
    click.echo(f"The profile {name} is kept in {profiles.file()}.")


@profile.command()
@_NAME
def delete(name: str) -> None:
    """Forget a profile."""
    found = profiles.read()
    if name not in found:
        raise Failure(
            f"There is no profile {name!r}.", code=NOT_FOUND, hint="'baton profile list' shows those there are."
        )
    profiles.write({key: each for key, each in found.items() if key != name})
    click.echo(f"The profile {name} is gone.")
