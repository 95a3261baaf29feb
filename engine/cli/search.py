"""``baton workflow list`` and ``search``: find runs."""

from __future__ import annotations

from typing import Any

import click

from engine.cli.client import Client
from engine.cli.options import client_options
from engine.cli.output import local_time, print_json, print_table

_STATUSES = ["RUNNING", "PAUSED", "COMPLETED", "FAILED", "TIMED_OUT", "TERMINATED"]


@click.command("list")
@click.option("--name", help="Only runs of this workflow; * stands for anything.")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), multiple=True, help="Only these.")
@click.option("--correlation-id", metavar="TEXT", help="Only runs with this mark.")
@click.option("--limit", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many, newest first.")
@client_options
def list_runs(
    name: str | None,
    status: tuple[str, ...],
    correlation_id: str | None,
    limit: int,
    server: str | None,
    output: str,
) -> None:
    """List runs, the newest first."""
    clauses = []
    if name is not None:
        clauses.append(f"workflowType = {_quoted(name)}")
    if status:
        clauses.append(f"status IN ({','.join(status)})")
    if correlation_id is not None:
        clauses.append(f"correlationId = {_quoted(correlation_id)}")
    _find(server, output, query=" AND ".join(clauses), size=limit)


@click.command()
@click.argument("query", required=False, default="")
@click.option("--words", "free_text", metavar="TEXT", default="*", help="Words that stand anywhere in a run.")
@click.option("--sort", metavar="FIELDS", default="", help="As in endTime:DESC|workflowType.  [default: newest first]")
@click.option("--by-tasks", is_flag=True, help="The query is about tasks: find the runs that have one like this.")
@click.option("--start", type=click.IntRange(0), default=0, help="How many to pass over.")
@click.option("--limit", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many.")
@client_options
def search(
    query: str,
    free_text: str,
    sort: str,
    by_tasks: bool,
    start: int,
    limit: int,
    server: str | None,
    output: str,
) -> None:
    """Find runs by a QUERY such as "workflowType IN (order, refund_*) AND status = FAILED".

    The guide "Search" has all of the language.
    """
    asked = {"query": query, "freeText": free_text, "sort": sort, "start": start, "size": limit}
    _find(server, output, by_tasks=by_tasks, **asked)


def _find(server: str | None, output: str, *, by_tasks: bool = False, **asked: Any) -> None:
    with Client(server) as client:
        found = client.get("workflow", "search-by-tasks" if by_tasks else "search", **asked)
    if output == "json":
        print_json(found)
        return
    narrowed = asked["query"] or asked.get("freeText", "*") != "*" or asked.get("start")
    if not found["results"]:
        click.echo("There is no such run." if narrowed else "Nothing has run yet. Next: baton workflow start NAME")
        return
    print_table(["Id", "Workflow", "Status", "Started", "Reason"], [_row(each) for each in found["results"]])
    if found["totalHits"] > len(found["results"]):
        click.echo(f"{len(found['results'])} of {found['totalHits']:,}; more with --limit.")


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _row(each: dict[str, Any]) -> list[str]:
    return [
        each["workflowId"],
        f"{each['workflowType']} v{each['version']}",
        each["status"],
        local_time(each.get("startTime")),
        str(each.get("reasonForIncompletion") or "")[:80],
    ]
