"""``baton bulk``: one operation for many runs, named one by one, on standard input or by a search."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import CONFLICT, USAGE, Failure
from engine.cli.options import client_options
from engine.cli.output import print_json
from engine.masking import visible

#: Runs of one call, which the server sets.
_AT_A_TIME = 1_000

_METHODS = {"pause": "PUT", "resume": "PUT", "remove": "DELETE"}


@click.group()
def bulk() -> None:
    """One operation for many runs: ids, - for a list on standard input, or --query."""


def _command(verb: str, what: str, *options: Callable[[Any], Any]) -> None:
    """Add the command of one operation."""

    def operate(ids: tuple[str, ...], query: str | None, server: str | None, output: str, **given: Any) -> None:
        with Client(server) as client:
            chosen = list(_chosen(client, ids, query))
            good, bad = _asked(client, verb, chosen, given)
        if output == "json":
            print_json({"bulkErrorResults": bad, "bulkSuccessfulResults": good})
        else:
            click.echo(f"{len(good):,} of {len(chosen):,} runs: {what}.")
            for identity, reason in bad.items():
                click.echo(visible(f"{identity}: {reason}", ""), err=True)
        if bad:
            click.get_current_context().exit(CONFLICT)

    operate.__doc__ = f"Of many runs: {what}; each is granted or refused by itself."
    command: Callable[..., Any] = client_options(operate)
    for option in options:
        command = option(command)
    for option in (_QUERY, _IDS):
        command = option(command)
    bulk.command(verb)(command)


_IDS = click.argument("ids", metavar="ID…", nargs=-1)
_QUERY = click.option("--query", metavar="QUERY", help="All runs that a search finds, as in 'baton workflow search'.")
_REASON = click.option("--reason", metavar="TEXT", help="Why, as it will stand in the runs.")
_LATEST = click.option("--latest", "useLatestDefinitions", is_flag=True, help="Go by the definition registered now.")
_ARCHIVE = click.option("--archive/--no-archive", "archiveWorkflow", default=True, help="Keep what can be read.")

_command("pause", "paused")
_command("resume", "going on")
_command("restart", "begun anew", _LATEST)
_command("retry", "tried again")
_command("terminate", "terminated", _REASON)
_command("remove", "removed", _ARCHIVE)


def _chosen(client: Client, ids: tuple[str, ...], query: str | None) -> Iterator[str]:
    """Yield the ids, each once; raise ``Failure`` where none are named."""
    if bool(ids) is (query is not None):
        raise Failure("Name the runs, or give --query, but not both.", code=USAGE)
    if query is None:
        yield from dict.fromkeys(_read() if ids == ("-",) else ids)
        return
    start = 0
    while page := client.get("workflow", "search", query=query, start=start, size=_AT_A_TIME)["results"]:
        yield from (each["workflowId"] for each in page)
        start += len(page)


def _read() -> Iterator[str]:
    yield from filter(None, map(str.strip, sys.stdin))


def _asked(client: Client, verb: str, ids: list[str], given: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    good: list[str] = []
    bad: dict[str, str] = {}
    for first in range(0, len(ids), _AT_A_TIME):
        some = ids[first : first + _AT_A_TIME]
        found = client.call(_METHODS.get(verb, "POST"), ("workflow", "bulk", verb), given, some)
        good += found["bulkSuccessfulResults"]
        bad |= found["bulkErrorResults"]
    return good, bad
