"""``baton schema``: schemas that definitions name, from files, listed and forgotten."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import USAGE, Failure
from engine.cli.json_input import read_documents
from engine.cli.options import client_options
from engine.cli.output import print_json, print_table
from engine.masking import visible

_NAME = click.argument("name")
_VERSION = click.option("--version", type=int, help="One version.  [default: the latest]")


@click.group()
def schema() -> None:
    """Schemas: what inputs and outputs must be like, for many definitions at once."""


@schema.command("list")
@client_options
def list_schemas(server: str | None, output: str) -> None:
    """List the registered schemas with their versions."""
    with Client(server) as client:
        found = client.get("schema")
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("There are no schemas yet. Next: baton schema save FILE")
        return
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in found:
        versions[each["name"]].append(each)
    rows = [[name, ", ".join(str(one["version"]) for one in each), each[-1]["type"]] for name, each in versions.items()]
    print_table(["Schema", "Versions", "Type"], rows)


@schema.command()
@_NAME
@_VERSION
@client_options
def show(name: str, version: int | None, server: str | None, output: str) -> None:
    """Print a schema as JSON."""
    with Client(server) as client:
        print_json(client.get("schema", name, *([] if version is None else [str(version)])))


@schema.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--new-version", is_flag=True, help="Store each behind the latest version of its name.")
@client_options
def save(files: tuple[str, ...], new_version: bool, server: str | None, output: str) -> None:
    """Register the schemas in files, each one or a list: {"name": …, "version": 1, "type": "JSON", "data": {…}}.

    The same version of the same name is replaced. Runs that have begun keep to the one that they began with.
    """
    schemas = [each for file in files for each in _read(Path(file))]
    with Client(server) as client:
        client.post("schema", body=schemas, newVersion=new_version)
    names = [each.get("name") for each in schemas]
    if output == "json":
        print_json(names)
        return
    for name in names:
        click.echo(visible(f"The schema {name} is saved."))


@schema.command()
@_NAME
@click.option("--version", type=int, help="Only this version.  [default: all of them]")
@client_options
def delete(name: str, version: int | None, server: str | None, output: str) -> None:
    """Forget a schema: nothing is held to it any more, but for runs that have begun with it."""
    with Client(server) as client:
        client.delete("schema", name, *([] if version is None else [str(version)]))
    if output == "json":
        print_json({"name": name, "version": version})
        return
    which = "is gone" if version is None else f"is gone in version {version}"
    click.echo(visible(f"The schema {name} {which}."))


def _read(file: Path) -> list[dict[str, Any]]:
    found = read_documents(file)
    for each in found:
        if not isinstance(each, dict):
            raise Failure(f"{file}: {each!r} is no schema: an object with name and data is expected.", code=USAGE)
    return found
