"""A run as a tree of steps: pure, from Conductor's JSON to nodes, with large forks folded into counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: More siblings than this with the same beginning of their names are shown as one line.
FOLD_ABOVE = 12

#: Of those folded, so many that went wrong or are in work are still shown by themselves.
SHOWN_FROM_FOLD = 4

#: Iterations of a loop that are shown; the earlier ones are folded.
SHOWN_ITERATIONS = 3

#: The status of a step that the flow has not reached.
PENDING = "PENDING"

_BAD = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR", "TIMED_OUT"})
_ACTIVE = frozenset({"IN_PROGRESS"})
_OPEN = frozenset({"SCHEDULED", "IN_PROGRESS"})
_INDEX = re.compile(r"[_\-. ]*\d+$")


@dataclass
class Node:
    """One line of the tree: a step, or a group of them."""

    label: str
    status: str = ""
    type: str = ""
    detail: str = ""
    child_id: str | None = None
    started_ms: int = 0
    ended_ms: int = 0
    children: list[Node] = field(default_factory=list)
    #: For a folded group: how many steps of each status it stands for.
    counts: Counter[str] = field(default_factory=Counter)

    def steps(self) -> Iterator[Node]:
        """Yield every node at and below this one that is a step."""
        if self.status:
            yield self
        for child in self.children:
            yield from child.steps()


@dataclass
class Progress:
    """How far a run is: steps that have ended, steps known so far, and how many stand at each status."""

    done: int
    known: int
    counts: Counter[str]


def build(run: Mapping[str, Any]) -> list[Node]:
    """Return the tree of a run, unfolded: what it did, does, and where the flow is sure to come, will do."""
    return _Builder(run).build()


def progress(nodes: Iterable[Node]) -> Progress:
    """Return how far the steps of an unfolded tree are."""
    counts = Counter(step.status for node in nodes for step in node.steps())
    known = counts.total()
    waiting = sum(counts[status] for status in (*_OPEN, PENDING))
    return Progress(known - waiting, known, counts)


def fold(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes with every large group of like siblings folded into one line, at every depth."""
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_INDEX.sub("", node.label), []).append(node)
    shown: list[Node] = []
    for stem, group in groups.items():
        if len(group) <= FOLD_ABOVE:
            shown.extend(_folded_inside(node) for node in group)
        else:
            shown.extend(_one_line(stem, group))
    return shown


def _folded_inside(node: Node) -> Node:
    return Node(**{**vars(node), "children": fold(node.children)})


def _one_line(stem: str, group: Sequence[Node]) -> Iterator[Node]:
    """Yield the line for a group, and beside it the few members that somebody should look at."""
    counts = Counter(step.status for node in group for step in node.steps())
    remarkable = [node for node in group if any(step.status in _BAD for step in node.steps())]
    remarkable += [node for node in group if node not in remarkable and node.status in _ACTIVE]
    yield Node(label=f"{stem} × {len(group):,}", counts=counts)
    yield from (_folded_inside(node) for node in remarkable[:SHOWN_FROM_FOLD])


class _Builder:
    """Places every task of a run under the step of the definition that it carries out."""

    def __init__(self, run: Mapping[str, Any]) -> None:
        self._run = run
        self._ended = run.get("status") not in ("RUNNING", "PAUSED")
        self._attempts: dict[str, list[Mapping[str, Any]]] = {}
        for task in run.get("tasks") or ():
            self._attempts.setdefault(task["referenceTaskName"], []).append(task)

    def build(self) -> list[Node]:
        definition = self._run.get("workflowDefinition") or {}
        nodes = self._list(definition.get("tasks") or (), "", reached=True)
        # Whatever the definition does not explain is still shown rather than hidden.
        nodes += [self._task(ref, tasks) for ref, tasks in list(self._attempts.items())]
        return nodes

    def _list(self, steps: Sequence[Mapping[str, Any]], suffix: str, *, reached: bool) -> list[Node]:
        nodes = [self._step(step, step.get("taskReferenceName", "") + suffix, suffix, reached) for step in steps]
        return [node for node in nodes if node is not None]

    def _step(self, step: Mapping[str, Any], ref: str, suffix: str, reached: bool) -> Node | None:
        """Return the node of a step; one that never ran is shown only where the flow is sure to come."""
        attempts = self._attempts.pop(ref, None)
        if attempts is None:
            return Node(ref, PENDING, step.get("type", "")) if reached and not self._ended else None
        node = self._task(ref, attempts)
        last = attempts[-1]
        node.children = [
            *self._branches(step, last, suffix),
            *self._cases(step, last, suffix),
            *self._iterations(step, last, suffix),
        ]
        return node

    def _branches(self, step: Mapping[str, Any], task: Mapping[str, Any], suffix: str) -> Iterator[Node]:
        for number, steps in enumerate(step.get("forkTasks") or ()):
            nodes = self._list(steps, suffix, reached=True)
            if len(nodes) <= 1:
                yield from nodes
            else:
                yield Node(f"branch {number + 1}", children=nodes)
        for ref in (task.get("inputData") or {}).get("forkedTasks") or ():
            node = self._step({"type": ""}, f"{ref}{suffix}", suffix, True)
            if node is not None:
                yield node

    def _cases(self, step: Mapping[str, Any], task: Mapping[str, Any], suffix: str) -> list[Node]:
        cases: Mapping[str, Any] = step.get("decisionCases") or {}
        chosen = (task.get("inputData") or {}).get("case")
        nodes: list[Node] = []
        for case, steps in cases.items():
            nodes += self._list(steps, suffix, reached=case == chosen)
        otherwise = bool(cases) and chosen is not None and chosen not in cases
        return nodes + self._list(step.get("defaultCase") or (), suffix, reached=otherwise)

    def _iterations(self, step: Mapping[str, Any], task: Mapping[str, Any], suffix: str) -> list[Node]:
        body = step.get("loopOver") or ()
        count = int(task.get("iteration") or 0) if body else 0
        open_loop = task.get("status") in _OPEN
        rounds = [
            Node(
                f"iteration {number}",
                children=self._list(body, f"{suffix}__{number}", reached=open_loop and number == count),
            )
            for number in range(1, count + 1)
        ]
        if count <= SHOWN_ITERATIONS + 1:
            return rounds
        earlier, shown = rounds[:-SHOWN_ITERATIONS], rounds[-SHOWN_ITERATIONS:]
        counts = Counter(inner.status for node in earlier for inner in node.steps())
        return [Node(f"iterations 1 to {len(earlier)}", counts=counts), *shown]

    def _task(self, ref: str, attempts: Sequence[Mapping[str, Any]]) -> Node:
        last = attempts[-1]
        self._attempts.pop(ref, None)
        facts = []
        if len(attempts) > 1:
            facts.append(f"attempt {len(attempts)}")
        if last.get("reasonForIncompletion"):
            facts.append(str(last["reasonForIncompletion"]).strip().splitlines()[0])
        return Node(
            label=ref,
            status=last["status"],
            type=last.get("taskType", ""),
            detail=", ".join(facts),
            child_id=last.get("subWorkflowId"),
            started_ms=last.get("startTime") or last.get("scheduledTime") or 0,
            ended_ms=last.get("endTime") or 0,
        )
