"""Draws a run for the terminal: a headline with progress, and the tree of its steps."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from engine.cli.output import STYLES, duration
from engine.cli.tree import PENDING, Node, build, fold, progress
from engine.masking import visible

_MARKS = {
    "COMPLETED": "✔",
    "COMPLETED_WITH_ERRORS": "✔",
    "SKIPPED": "↷",
    "FAILED": "✘",
    "FAILED_WITH_TERMINAL_ERROR": "✘",
    "TIMED_OUT": "✘",
    "CANCELED": "⊘",
    "IN_PROGRESS": "▶",
    "SCHEDULED": "…",
    PENDING: "·",
}

#: Characters of a step's detail (a reason) on one line.
_DETAIL_WIDTH = 100


def draw(run: Mapping[str, Any], children: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """Return the picture of a run; ``children`` are child runs by id, drawn under the tasks that started them."""
    nodes = build(run)
    _adopt(nodes, children)
    parts: list[RenderableType] = [_headline(run, nodes), _tree(fold(nodes))]
    reason = run.get("reasonForIncompletion")
    if reason:
        parts.append(Text(visible(f"Reason: {reason}"), style=STYLES.get(run["status"], "")))
    return Group(*parts)


def change_lines(before: Mapping[str, str], run: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the statuses of all tasks by id, and a line for each that differs from ``before``."""
    now = {task["taskId"]: task["status"] for task in run.get("tasks") or ()}
    lines = []
    for task in run.get("tasks") or ():
        if before.get(task["taskId"]) != task["status"]:
            attempt = f" (attempt {task['retryCount'] + 1})" if task.get("retryCount") else ""
            reason = f": {task['reasonForIncompletion']}" if task.get("reasonForIncompletion") else ""
            lines.append(f"{task['referenceTaskName']}{attempt} {task['status']}{reason}")
    return now, lines


def child_ids(run: Mapping[str, Any]) -> list[str]:
    """Return the ids of the child runs that a run's tasks wait for or waited for."""
    tasks = (task for task in run.get("tasks") or () if not task.get("retried"))
    return [task["subWorkflowId"] for task in tasks if task.get("subWorkflowId")]


def _adopt(nodes: Sequence[Node], children: Mapping[str, Mapping[str, Any]]) -> None:
    for node in nodes:
        _adopt(node.children, children)
        child = children.get(node.child_id or "")
        if child is not None:
            node.children = [*node.children, *build(child)]
            _adopt(node.children, {key: value for key, value in children.items() if key != node.child_id})


def _headline(run: Mapping[str, Any], nodes: Sequence[Node]) -> RenderableType:
    reached = progress(nodes)
    status = run["status"]
    ended = run.get("endTime") if status not in ("RUNNING", "PAUSED") else None
    seconds = max(0.0, (ended or time.time() * 1000) - run.get("startTime", 0)) / 1000
    line = Table.grid(padding=(0, 1))
    line.add_row(
        Text(visible(f"{run['workflowName']} v{run['workflowVersion']}", ""), style="bold"),
        Text(status, style=STYLES.get(status, "")),
        ProgressBar(total=max(1, reached.known), completed=reached.done, width=24),
        Text(f"{reached.done}/{reached.known} steps"),
        Text(duration(seconds)),
        Text(visible(run["workflowId"], ""), style="dim"),
    )
    return line


def _tree(nodes: Sequence[Node]) -> RenderableType:
    root = Tree("", hide_root=True, guide_style="dim")
    _grow(root, nodes)
    return root


def _grow(tree: Tree, nodes: Sequence[Node]) -> None:
    for node in nodes:
        _grow(tree.add(_line(node)), node.children)


def _line(node: Node) -> Text:
    if node.counts:
        return Text(f"{visible(node.label, '')}: ").append_text(_counted(node.counts))
    if not node.status:
        return Text(visible(node.label, ""), style="dim")
    style = STYLES.get(node.status, "dim")
    line = Text(f"{_MARKS.get(node.status, '?')} ", style=style).append(
        visible(node.label, ""), style="bold" if node.children else ""
    )
    if node.type and node.type != node.label:
        line.append(f"  {visible(node.type, '')}", style="dim")
    if node.status not in ("COMPLETED", PENDING):
        line.append(f"  {node.status}", style=style)
    if node.started_ms and node.ended_ms > node.started_ms:
        line.append(f"  {duration((node.ended_ms - node.started_ms) / 1000)}", style="dim")
    if node.detail:
        line.append("  " + _cut(visible(node.detail, "")), style="" if node.status == "COMPLETED" else style)
    return line


def _counted(counts: Counter[str]) -> Text:
    line = Text()
    for number, (status, count) in enumerate(counts.most_common()):
        line.append(", " if number else "")
        line.append(f"{count:,} {status}", style=STYLES.get(status, "dim"))
    return line


def _cut(text: str) -> str:
    return text if len(text) <= _DETAIL_WIDTH else text[: _DETAIL_WIDTH - 1] + "…"
