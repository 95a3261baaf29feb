"""Draws the states of tasks and workflows into `architecture/states.md`: `python -m docs.draw_states`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from docs.markers import replaced
from engine.model.status import TASK_TRANSITIONS, WORKFLOW_TRANSITIONS, TaskStatus, WorkflowStatus

PAGE = Path(__file__).parent / "architecture" / "states.md"

S = TypeVar("S", bound=StrEnum)


def drawn(page: str) -> str:
    """Return the page with both diagrams and the table of what each task state means, as the code has them now."""
    page = replaced(page, "task states", _diagram(TASK_TRANSITIONS, TaskStatus.SCHEDULED))
    page = replaced(page, "workflow states", _diagram(WORKFLOW_TRANSITIONS, WorkflowStatus.RUNNING))
    return replaced(page, "task meanings", _meanings())


def _diagram(transitions: Mapping[S, frozenset[S]], first: S) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *_arrows(transitions), "```"])


def _arrows(transitions: Mapping[S, frozenset[S]]) -> Iterator[str]:
    """Yield an arrow for each move, and one to the end for each state that nothing may follow."""
    order = list(type(next(iter(transitions))))
    for status in order:
        following = [each for each in order if each in transitions[status]]
        yield from (f"    {status} --> {each}" for each in following)
        if not following:
            yield f"    {status} --> [*]"


def _meanings() -> str:
    rows = ["| state | open | the flow goes on behind it | another attempt may follow |", "|---|---|---|---|"]
    for status in TaskStatus:
        marks = (status.is_open, status.is_successful, status.is_retriable)
        rows.append(f"| `{status}` | {' | '.join('yes' if mark else '' for mark in marks)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
