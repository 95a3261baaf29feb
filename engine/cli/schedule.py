"""``baton schedule``: workflows that start by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import Failure
from engine.cli.json_input import read_documents
from engine.cli.options import client_options
from engine.cli.output import local_time, print_json, print_table
from engine.masking import visible

_NAME = click.argument("name")


@click.group()
def schedule() -> None:
    """Start workflows by the clock."""


@schedule.command("list")
@click.option("--workflow", metavar="NAME", help="Only schedules that start this workflow.")
@client_options
def list_schedules(workflow: str | None, server: str | None, output: str) -> None:
    """List the schedules with their next dates."""
    with Client(server) as client:
        found = client.get("scheduler", "schedules", workflowName=workflow)
    if output == "json":
        print_json(found)
        return
    if not found:
        click.echo("There is no such schedule." if workflow else "There is no schedule. Next: baton schedule save FILE")
        return
    print_table(["Schedule", "Workflow", "Next", "Dates"], [_row(each) for each in found])


@schedule.command()
@_NAME
@client_options
def show(name: str, server: str | None, output: str) -> None:
    """Print a schedule as JSON."""
    with Client(server) as client:
        print_json(client.get("scheduler", "schedules", name))


@schedule.command()
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@client_options
def save(paths: tuple[Path, ...], server: str | None, output: str) -> None:
    """Save the schedules in files.

    A file holds one, or a list. One of the same name is replaced, and the change counts at once.
    """
    documents = [(path, document) for path in paths for document in read_documents(path)]
    saved = []
    with Client(server) as client:
        for path, document in documents:
            try:
                saved.append(client.post("scheduler", "schedules", body=document))
            except Failure as failure:
                raise Failure(f"{path}: {failure.message}", code=failure.code, hint=failure.hint) from None
            if output == "text":
                click.echo(f"{click.style('saved', fg='green')} {visible(_said(saved[-1]), '')}")
    if output == "json":
        print_json(saved)


@schedule.command()
@_NAME
@click.option("--reason", metavar="TEXT", help="Kept with the schedule.")
@client_options
def pause(name: str, reason: str | None, server: str | None, output: str) -> None:
    """Let a schedule start nothing until it is resumed.

    Dates that pass meanwhile are left out.
    """
    with Client(server) as client:
        client.put("scheduler", "schedules", name, "pause", reason=reason)
        _show_change(client, name, output)


@schedule.command()
@_NAME
@client_options
def resume(name: str, server: str | None, output: str) -> None:
    """Let a paused schedule go on with its next date."""
    with Client(server) as client:
        client.put("scheduler", "schedules", name, "resume")
        _show_change(client, name, output)


@schedule.command()
@_NAME
@client_options
def delete(name: str, server: str | None, output: str) -> None:
    """Forget a schedule; its runs go on."""
    with Client(server) as client:
        client.get("scheduler", "schedules", name)
        client.delete("scheduler", "schedules", name)
    if output == "json":
        print_json({"name": name, "deleted": True})
    else:
        click.echo(visible(f"{name} is deleted", ""))


@schedule.command("next")
@click.argument("what", metavar="NAME|EXPRESSION")
@click.option("--zone", default="UTC", show_default=True, help="The zone of an expression, like Europe/Berlin.")
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many dates.")
@client_options
def next_dates(what: str, zone: str, count: int, server: str | None, output: str) -> None:
    """Show the next dates of a schedule or expression.

    An expression looks like '0 30 9 * * MON-FRI': second, minute, hour, day of the month, month, day of the week.
    """
    with Client(server) as client:
        if what.strip().startswith("@") or len(what.split()) > 1:
            dates = _dates(client, {"cronExpression": what, "zoneId": zone}, {}, count)
        else:
            found = client.get("scheduler", "schedules", what)
            crons = [found] if found.get("cronExpression") else []
            every = {date for each in (*crons, *found["cronSchedules"]) for date in _dates(client, each, found, count)}
            dates = sorted(every)[:count]
    if output == "json":
        print_json(dates)
        return
    for date in dates:
        click.echo(_time(date))
    if not dates:
        click.echo("No date is to come.")


@schedule.command()
@_NAME
@click.option("--limit", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many, latest first.")
@client_options
def runs(name: str, limit: int, server: str | None, output: str) -> None:
    """List dates that have come, and what became of them."""
    with Client(server) as client:
        client.get("scheduler", "schedules", name)
        found = client.get("scheduler", "search", "executions", query=f"scheduleName = {name}", size=limit)
    if output == "json":
        print_json(found)
        return
    if not found["results"]:
        click.echo("None of its dates has come yet.")
        return
    rows = [
        [_time(each["scheduledTime"]), each["state"], each.get("workflowId", ""), each.get("reason", "")]
        for each in found["results"]
    ]
    print_table(["Date", "Status", "Run", "Reason"], rows)


def _dates(client: Client, cron: Mapping[str, Any], window: Mapping[str, Any], count: int) -> list[int]:
    found: list[int] = client.get(
        "scheduler",
        "nextFewSchedules",
        cronExpression=cron["cronExpression"],
        zoneId=cron["zoneId"],
        scheduleStartTime=window.get("scheduleStartTime"),
        scheduleEndTime=window.get("scheduleEndTime"),
        limit=count,
    )
    return found


def _show_change(client: Client, name: str, output: str) -> None:
    found = client.get("scheduler", "schedules", name)
    if output == "json":
        print_json(found)
    else:
        click.echo(visible(_said(found), ""))


def _said(found: Mapping[str, Any]) -> str:
    return f"{found['name']}: {_next(found)}"


def _next(found: Mapping[str, Any]) -> str:
    if found["paused"]:
        return f"paused ({found['pausedReason']})" if found.get("pausedReason") else "paused"
    return f"next {_time(found['nextRunTime'])}" if "nextRunTime" in found else "over"


def _row(found: Mapping[str, Any]) -> list[str]:
    crons = [found] if found.get("cronExpression") else []
    dates = ", ".join(f"{each['cronExpression']} {each['zoneId']}" for each in (*crons, *found["cronSchedules"]))
    request = found["startWorkflowRequest"]
    return [found["name"], str(request.get("name", "")), _next(found).removeprefix("next "), dates]


def _time(milliseconds: int) -> str:
    return local_time(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())
