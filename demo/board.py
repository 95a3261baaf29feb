"""What the demo shows: a live tree in a terminal, plain lines anywhere else, and the results at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from demo.follow import Track

_STYLES = {
    "COMPLETED": "green",
    "COMPLETED_WITH_ERRORS": "yellow",
    "RUNNING": "cyan",
    "IN_PROGRESS": "cyan",
    "SCHEDULED": "bright_black",
    "SKIPPED": "bright_black",
}

#: More tasks of one name than this are shown as one line with counts.
FOLD_ABOVE = 3


def _status(status: str) -> Text:
    return Text(status, style=_STYLES.get(status, "red"))


class Board:
    """Shows the tracks while the ``with`` block runs: call ``show`` whenever something may have changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, tracks: Sequence[Track]) -> None:
        """Draw the tree again, or print a line for everything that is new."""
        if self._live:
            self._live.update(Group(*(_tree(track) for track in tracks)), refresh=True)
            return
        for track in tracks:
            for line in _news(track):
                if line not in self._said:
                    self._said.add(line)
                    self._console.print(f"{track.seconds:6.1f} s  {line}", highlight=False, markup=False)


def _news(track: Track) -> Iterator[str]:
    yield f"{track.case.name}: {track.run.get('status', 'STARTED')}"
    for reference in sorted(track.approved):
        yield f"{track.case.name}: {reference} was approved"
    if track.compensation:
        yield f"{track.case.name}: {track.compensation['workflowName']} {track.compensation['status']}"


def _tree(track: Track) -> RenderableType:
    tasks = track.run.get("tasks", [])
    done = sum(task["status"] not in ("SCHEDULED", "IN_PROGRESS") for task in tasks)
    head = Text.assemble(
        (f"{track.case.name:<28}", "bold"),
        _status(track.run.get("status", "STARTED")),
        (f"  {done}/{len(tasks)} tasks  {track.seconds:.1f} s", "bright_black"),
    )
    tree = Tree(head, guide_style="bright_black")
    if track.ended is None:
        for line in _task_lines(tasks):
            tree.add(line)
    if track.compensation:
        tree.add(Text.assemble(f"{track.compensation['workflowName']} ", _status(track.compensation["status"])))
    return tree


def _task_lines(tasks: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """One line for each task in order of scheduling; many of one name are one line, where the first of them stood."""
    together: dict[str, list[Mapping[str, Any]]] = {}
    for task in tasks:
        together.setdefault(task["taskDefName"], []).append(task)
    for name, group in together.items():
        if len(group) > FOLD_ABOVE:
            counts = Counter(task["status"] for task in group)
            parts = [part for status, count in counts.items() for part in (f" {count} ", _status(status))]
            yield Text.assemble(f"{name} x {len(group)}:", *parts)
        else:
            for task in group:
                yield Text.assemble(f"{task['referenceTaskName']} ", _status(task["status"]))


def print_results(console: Console, tracks: Sequence[Track]) -> None:
    """Print what every run gave, then one table of how they ended and what is wrong with those that went astray."""
    for track in tracks:
        console.rule(Text(track.case.name, style="bold"), align="left")
        console.print_json(json.dumps(track.run.get("output") or {}))
        if track.run.get("reasonForIncompletion"):
            console.print(f"reason: {track.run['reasonForIncompletion']}", markup=False)
        if track.compensation:
            console.print(f"{track.compensation['workflowName']}:", markup=False)
            console.print_json(json.dumps(track.compensation.get("output") or {}))
    # Fits 80 columns as long as all is well.
    table = Table("run", "ended", "s", "", box=SIMPLE_HEAD)
    for track in tracks:
        faults = track.faults()
        verdict = Text("\n".join(faults), style="red") if faults else Text("as expected", style="green")
        table.add_row(track.case.name, _ended(track), f"{track.seconds:.1f}", verdict)
    console.print(table)


def _ended(track: Track) -> str:
    undone = f"\n{track.compensation['workflowName']} {track.compensation['status']}" if track.compensation else ""
    return f"{track.run.get('status', 'unknown')}{undone}"
