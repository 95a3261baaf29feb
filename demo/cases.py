"""The runs of the demo and how each must end; read from one data file that the integration tests use too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.workspace import INPUTS

EXPECTATIONS = INPUTS / "expectations.json"

#: Statuses that a workflow does not leave by itself.
ENDED = frozenset({"COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT"})

#: Where a failed run's output names the run of its failure workflow (Conductor 4.7).
FAILURE_WORKFLOW = "conductor.failure_workflow"


@dataclass(frozen=True)
class Outcome:
    """How a run of ``workflow`` must end: its status, and a part of its output and of its reason."""

    workflow: str
    status: str
    output: Mapping[str, Any]
    reason: str = ""

    def faults(self, run: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with an ended run (Conductor's run object), one sentence each."""
        name, status, reason = run["workflowName"], run["status"], run.get("reasonForIncompletion") or ""
        found = []
        if name != self.workflow:
            found.append(f"ran {name}, expected {self.workflow}")
        if status != self.status:
            found.append(f"ended {status}, expected {self.status}" + (f": {reason}" if reason else ""))
        if self.reason not in reason:
            found.append(f"the reason is {reason!r}, expected {self.reason!r} in it")
        found += _differences(self.output, run.get("output") or {}, "output") if status == self.status else []
        return found


@dataclass(frozen=True)
class Case:
    """One run of the demo: what starts it, who approves what in it, and how it and its compensation must end."""

    name: str
    workflow: str
    input_file: str
    outcome: Outcome
    compensation: Outcome | None
    approvals: Mapping[str, Mapping[str, Any]]

    def input(self, workspace: Path, site: str) -> dict[str, Any]:
        """Return the shipped input with the folder and the address of this demo filled in."""
        shipped = json.loads((INPUTS / self.input_file).read_text())
        places = {"{workspace}": str(workspace), "{site}": site}
        return {key: places.get(value, value) if isinstance(value, str) else value for key, value in shipped.items()}

    def start(self, workspace: Path, site: str) -> dict[str, Any]:
        """Return Conductor's StartWorkflowRequest; the same fields make a start message."""
        return {
            "name": self.workflow,
            "version": 1,
            "correlationId": self.name,
            "input": self.input(workspace, site),
        }


def load(path: Path = EXPECTATIONS) -> tuple[Case, ...]:
    """Return every case of the data file, in its order."""
    return tuple(_case(entry) for entry in json.loads(path.read_text()))


def _case(entry: Mapping[str, Any]) -> Case:
    compensation = entry.get("compensation")
    return Case(
        name=entry["case"],
        workflow=entry["workflow"],
        input_file=entry["input"],
        outcome=_outcome(entry),
        compensation=_outcome(compensation) if compensation else None,
        approvals=entry.get("approvals", {}),
    )


def _outcome(entry: Mapping[str, Any]) -> Outcome:
    return Outcome(entry["workflow"], entry["status"], entry.get("output", {}), entry.get("reason", ""))


def compensation_id(run: Mapping[str, Any]) -> str | None:
    """Return the id of the run that undoes a failed one, ``None`` while there is none."""
    found = (run.get("output") or {}).get(FAILURE_WORKFLOW)
    return found if isinstance(found, str) else None


def _differences(expected: Any, found: Any, place: str) -> list[str]:
    """Compare as far as ``expected`` goes: objects may hold more, everything else must be equal."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return [f"{place} is {found!r}, expected an object"]
        parts = [_differences(value, found.get(key), f"{place}.{key}") for key, value in expected.items()]
        return [difference for part in parts for difference in part]
    return [] if found == expected else [f"{place} is {found!r}, expected {expected!r}"]
