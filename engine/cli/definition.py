"""``baton definition``: apply, validate, export, list and show definitions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.client import Client
from engine.cli.event import save_handler
from engine.cli.failure import NOT_FOUND, USAGE, Failure
from engine.cli.options import client_options, output_option
from engine.cli.output import print_json, print_table
from engine.errors import BadMessage, NotFound
from engine.masking import visible
from engine.services.definition_files import Mistake, Written, find

if TYPE_CHECKING:
    from engine.decider.named_schema import FindSchemas
    from engine.decider.schedule_check import FindVersion
    from engine.decider.validate import FindTasks
    from engine.model.definition import TaskDef
    from engine.model.schema_def import SchemaDef, SchemaKey

_PATHS = click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))


@click.group()
def definition() -> None:
    """Register and look at definitions of workflows and tasks, and of what starts them."""


@definition.command()
@_PATHS
@client_options
def apply(paths: tuple[Path, ...], server: str | None, output: str) -> None:
    """Register the definitions in files and folders, replacing those of the same name and version.

    Files may hold workflows, tasks, event handlers and schedules, each one or a list. Nothing is registered unless
    everything is right; every mistake is listed with its file and JSON path. What will not work as it reads is
    registered, with a warning.
    """
    with Client(server) as client:
        found, warnings = _checked(paths, output, _registered(client), _schemas(client), _versions(client))
        tasks = [each for each in found if each.kind == "task"]
        if tasks:
            client.post("metadata", "taskdefs", body=[each.document for each in tasks])
        for each in found:
            if each.kind == "workflow":
                client.post("metadata", "workflow", body=each.document, overwrite=True)
            elif each.kind == "handler":
                save_handler(client, each.document)
            elif each.kind == "schedule":
                client.post("scheduler", "schedules", body=each.document)
    _report(found, "applied", warnings, output)


@definition.command()
@_PATHS
@click.option("--strict", is_flag=True, help="Refuse also what is only warned of.")
@output_option
def validate(paths: tuple[Path, ...], strict: bool, output: str) -> None:
    """Check definitions in files and folders; no server is needed."""
    found, warnings = _checked(paths, output, strict=strict)
    _report(found, "valid", warnings, output)


@definition.command()
@click.argument("target", metavar="MODULE[:NAME]")
@click.option("--to", "folder", metavar="FOLDER", type=click.Path(path_type=Path), help="Write files there instead.")
def export(target: str, folder: Path | None) -> None:
    """Print the definitions of a Python module as JSON; no server is needed.

    MODULE is one that can be imported from here, such as shop.workflows. With --to, each definition is written to
    a file of its own in FOLDER/workflows or FOLDER/tasks.
    """
    from engine.dsl.module import load

    try:
        found = load(target)
    except (BadMessage, NotFound) as error:
        raise Failure(str(error), code=USAGE) from None
    if not found:
        raise Failure(f"{target} holds no workflow and no task.", code=USAGE)
    documents = [each.to_json() for each in found]
    if folder is None:
        print_json(documents[0] if ":" in target else documents)
        return
    for document in documents:
        _write(folder, document)


def _write(folder: Path, document: dict[str, Any]) -> None:
    room, name = (
        ("workflows", f"{document['name']}.v{document['version']}")
        if "tasks" in document
        else (
            "tasks",
            document["name"],
        )
    )
    file = folder / room / f"{name}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.", code=USAGE) from None
    click.echo(f"{click.style('wrote', fg='green')} {file}")


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


def _registered(client: Client) -> FindTasks:
    """Return how to find task definitions on the server."""
    listed = {each["name"]: each for each in client.get("metadata", "taskdefs")}

    def known(names: Collection[str]) -> dict[str, TaskDef]:
        from engine.model.definition import TaskDef

        return {name: TaskDef.model_validate(listed[name]) for name in names if name in listed}

    return known


def _schemas(client: Client) -> FindSchemas:
    """Return how to find schemas on the server, by name and version."""

    def known(keys: Collection[SchemaKey]) -> dict[SchemaKey, SchemaDef]:
        from engine.model.schema_def import SchemaDef

        listed = map(SchemaDef.model_validate, client.get("schema", short=True))
        return {each.key: each for each in listed if each.key in keys}

    return known


def _versions(client: Client) -> FindVersion:
    """Return how to find the version of a workflow on the server."""

    def version_of(name: str, version: int | None) -> int | None:
        try:
            found: int = client.get("metadata", "workflow", name, version=version)["version"]
        except Failure as failure:
            if failure.code != NOT_FOUND:
                raise
            return None
        return found

    return version_of


def _checked(
    paths: tuple[Path, ...],
    output: str,
    registered: FindTasks | None = None,
    schemas: FindSchemas | None = None,
    version_of: FindVersion | None = None,
    *,
    strict: bool = False,
) -> tuple[list[Written], list[Mistake]]:
    """Return the definitions in these places and their warnings; ends the command, listing every mistake, if any."""
    try:
        found, faults = find(paths)
    except NotFound as error:
        raise Failure(str(error), code=USAGE) from None
    from engine.services.checking import check

    checked = check(found, registered, schemas, version_of)
    faults += checked.mistakes
    if strict:
        faults += checked.warnings
    if not faults:
        return found, checked.warnings
    if output == "json":
        print_json({"faults": [vars(fault) for fault in faults]})
    else:
        for fault in faults:
            click.echo(visible(str(fault)), err=True)
    many = "1 mistake" if len(faults) == 1 else f"{len(faults)} mistakes"
    if registered is None:
        raise Failure(f"{many}.", code=USAGE, hint="Mend what is listed above.")
    raise Failure(f"{many}; nothing was registered.", code=USAGE, hint="Mend what is listed above and apply again.")


def _report(found: list[Written], verb: str, warnings: list[Mistake], output: str) -> None:
    if output == "json":
        lines = [
            {"kind": each.kind, "name": each.name, "version": each.document.get("version"), "file": str(each.file)}
            for each in found
        ]
        print_json({verb: lines, "warnings": [vars(doubt) for doubt in warnings]})
        return
    for doubt in warnings:
        click.echo(f"{click.style('warning', fg='yellow')} {visible(str(doubt))}", err=True)
    for each in found:
        version = f" v{each.document.get('version', 1)}" if each.kind == "workflow" else ""
        click.echo(f"{click.style(verb, fg='green')} {each.kind} {each.name}{version}  ({each.file})")


def _task_row(each: dict[str, Any]) -> list[str]:
    retries = f"{each['retryCount']} × {each['retryDelaySeconds']} s"
    timeout = f"{each['timeoutSeconds']} s" if each["timeoutSeconds"] else "none"
    return [each["name"], retries, timeout, each.get("description", "")]
