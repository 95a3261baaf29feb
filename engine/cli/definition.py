"""``baton definition``: apply, list, show and validate definitions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import NOT_FOUND, USAGE, Failure
from engine.cli.options import client_options
from engine.cli.output import print_json, print_table
from engine.errors import NotFound
from engine.services.definition_files import Mistake, Written, find

_PATHS = click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))


@click.group()
def definition() -> None:
    """Register and look at definitions of workflows and tasks."""


@definition.command()
@_PATHS
@client_options
def apply(paths: tuple[Path, ...], server: str | None, output: str) -> None:
    """Register the definitions in files and folders, replacing those of the same name and version.

    Nothing is registered unless everything is right; every mistake is listed with its file and JSON path.
    """
    with Client(server) as client:
        found = _checked(client, paths, output)
        tasks = [each for each in found if each.kind == "task"]
        if tasks:
            client.post("metadata", "taskdefs", body=[each.document for each in tasks])
        for each in found:
            if each.kind == "workflow":
                client.post("metadata", "workflow", body=each.document, overwrite=True)
    _report(found, "applied", output)


@definition.command()
@_PATHS
@client_options
def validate(paths: tuple[Path, ...], server: str | None, output: str) -> None:
    """Check definitions in files and folders without registering them."""
    with Client(server) as client:
        found = _checked(client, paths, output)
    _report(found, "valid", output)


@definition.command("list")
@client_options
def list_definitions(server: str | None, output: str) -> None:
    """List what is registered."""
    with Client(server) as client:
        workflows, tasks = client.get("metadata", "workflow"), client.get("metadata", "taskdefs")
    if output == "json":
        print_json({"workflows": workflows, "tasks": tasks})
        return
    if not workflows and not tasks:
        click.echo("Nothing is registered yet. Next: baton definition apply PATH")
        return
    versions: dict[str, list[int]] = defaultdict(list)
    for each in workflows:
        versions[each["name"]].append(each["version"])
    latest = {each["name"]: each for each in workflows if each["version"] == max(versions[each["name"]])}
    rows = [
        [name, ", ".join(map(str, sorted(versions[name]))), str(len(each["tasks"])), each.get("description", "")]
        for name, each in sorted(latest.items())
    ]
    if rows:
        print_table(["Workflow", "Versions", "Steps", "Description"], rows)
    if rows and tasks:
        click.echo()
    if tasks:
        print_table(["Task", "Retries", "Timeout", "Description"], [_task_row(each) for each in tasks])


@definition.command()
@click.argument("name")
@click.option("--version", type=int, help="The workflow's version.  [default: the latest]")
@client_options
def show(name: str, version: int | None, server: str | None, output: str) -> None:
    """Print a definition as JSON: a workflow's, or else a task's."""
    with Client(server) as client:
        try:
            print_json(client.get("metadata", "workflow", name, version=version))
        except Failure as failure:
            if failure.code != NOT_FOUND or version is not None:
                raise
            print_json(_task(client, name))


def _task(client: Client, name: str) -> Any:
    try:
        return client.get("metadata", "taskdefs", name)
    except Failure as failure:
        if failure.code != NOT_FOUND:
            raise
        raise Failure(
            f"No workflow and no task {name!r} is registered.", code=NOT_FOUND, hint="baton definition list"
        ) from None


def _checked(client: Client, paths: tuple[Path, ...], output: str) -> list[Written]:
    """Return the definitions in these places; ends the command, listing every mistake, unless all are right."""
    try:
        found, faults = find(paths)
    except NotFound as error:
        raise Failure(str(error), code=USAGE) from None
    for each in found:
        faults.extend(_faults(client, each))
    if not faults:
        return found
    if output == "json":
        print_json({"faults": [vars(fault) for fault in faults]})
    else:
        for fault in faults:
            click.echo(str(fault), err=True)
    many = "1 mistake" if len(faults) == 1 else f"{len(faults)} mistakes"
    raise Failure(f"{many}; nothing was registered.", code=USAGE, hint="Mend what is listed above and apply again.")


def _faults(client: Client, written: Written) -> list[Mistake]:
    kind = "workflow" if written.kind == "workflow" else "taskdefs"
    problems = client.faults("metadata", kind, "validate", body=written.document)
    where = written.place + "." if written.place else ""
    return [Mistake(str(written.file), _path(where, each.get("path")), str(each["message"])) for each in problems]


def _path(place: str, path: str | None) -> str:
    return f"{place}{path}" if path and path != "$" else place.rstrip(".")


def _report(found: list[Written], verb: str, output: str) -> None:
    if output == "json":
        lines = [
            {"kind": each.kind, "name": each.name, "version": each.document.get("version"), "file": str(each.file)}
            for each in found
        ]
        print_json({verb: lines})
        return
    for each in found:
        version = f" v{each.document.get('version', 1)}" if each.kind == "workflow" else ""
        click.echo(f"{click.style(verb, fg='green')} {each.kind} {each.name}{version}  ({each.file})")


def _task_row(each: dict[str, Any]) -> list[str]:
    retries = f"{each['retryCount']} × {each['retryDelaySeconds']} s"
    timeout = f"{each['timeoutSeconds']} s" if each["timeoutSeconds"] else "none"
    return [each["name"], retries, timeout, each.get("description", "")]
