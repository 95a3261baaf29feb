"""Follows a run until it ends: a live picture on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import UNREACHABLE, Failure, code_of_run
from engine.cli.output import print_json
from engine.masking import visible

#: Seconds between two looks; a look that takes long makes the pauses longer, so that watching never costs more than
#: a small part of the server's time.
_PAUSE = 0.5
_PAUSE_PER_LOOK = 4.0

#: Child runs that are drawn with their steps; the others are one line each.
_CHILDREN = 8

#: Times in a row that a server which was there before may be away: it is being restarted.
_PATIENCE = 20


def watch(client: Client, workflow_id: str, output: str) -> int:
    """Follow a run and return the exit code of its end; Ctrl-C ends only the watching."""
    looks = _looks(client, workflow_id)
    if output == "json":
        run = _last(looks)
        print_json(run)
    elif sys.stdout.isatty():
        run = _live(client, looks)
    else:
        run = _lines(looks)
    return code_of_run(run["status"]) or 0


def _looks(client: Client, workflow_id: str) -> Iterator[dict[str, Any]]:
    """Yield the run again and again, the last time when it has ended."""
    missed = 0
    run: dict[str, Any] | None = None
    while run is None or code_of_run(run["status"]) is None:
        began = time.monotonic()
        try:
            run = client.get("workflow", workflow_id)
            missed = 0
        except Failure as failure:
            missed += 1
            if failure.code != UNREACHABLE or run is None or missed > _PATIENCE:
                raise
        else:
            yield run
        if run is None or code_of_run(run["status"]) is None:
            time.sleep(max(_PAUSE, _PAUSE_PER_LOOK * (time.monotonic() - began)))


def _last(looks: Iterator[dict[str, Any]]) -> dict[str, Any]:
    run: dict[str, Any] = {}
    for run in looks:  # noqa: B007 the last one is what is wanted
        pass
    return run


def _lines(looks: Iterator[dict[str, Any]]) -> dict[str, Any]:
    from engine.cli.board import change_lines

    known: dict[str, str] = {}
    run: dict[str, Any] = {}
    for run in looks:
        known, lines = change_lines(known, run)
        for line in lines:
            click.echo(f"{time.strftime('%H:%M:%S')} {visible(line)}")
    reason = f": {run['reasonForIncompletion']}" if run.get("reasonForIncompletion") else ""
    click.echo(visible(f"{time.strftime('%H:%M:%S')} {run['workflowName']} {run['status']}{reason}"))
    _print_output(run)
    return run


def _live(client: Client, looks: Iterator[dict[str, Any]]) -> dict[str, Any]:
    from rich.live import Live

    from engine.cli.board import draw
    from engine.cli.output import console

    screen = console()
    children: dict[str, dict[str, Any]] = {}
    run: dict[str, Any] = {}
    # Only whole pictures are drawn, and only when there is a new one: so nothing flickers.
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        for run in looks:
            _visit_children(client, run, children)
            live.update(draw(run, children), refresh=True)
    screen.print(draw(run, children))
    _print_output(run)
    return run


def _visit_children(client: Client, run: dict[str, Any], children: dict[str, dict[str, Any]]) -> None:
    """Fetch the child runs that are drawn; those that have ended are known already."""
    from engine.cli.board import child_ids

    for child_id in child_ids(run)[:_CHILDREN]:
        known = children.get(child_id)
        if known is None or code_of_run(known["status"]) is None:
            try:
                children[child_id] = client.get("workflow", child_id)
            except Failure:
                # The picture does without it; what is wrong shows in the run itself.
                continue


def _print_output(run: dict[str, Any]) -> None:
    if run.get("output"):
        click.echo("Output:")
        print_json(run["output"])
