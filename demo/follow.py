"""Follows the runs of the demo to their ends: approves what waits for a person, and judges how each one ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.cases import ENDED, Case, compensation_id
from demo.rest import Conductor, NotThere

#: Seconds between two looks at a run: often enough to be watched, seldom enough to cost nothing.
LOOK_SECONDS = 0.25

#: Seconds after the end of a failed run by which its compensation must have been started.
COMPENSATION_START_SECONDS = 20


@dataclass
class Track:
    """One case on its way: its run as last seen, its compensation's, and what was approved in it."""

    case: Case
    workflow_id: str
    started: float
    run: dict[str, Any] = field(default_factory=dict)
    compensation: dict[str, Any] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)
    run_ended: float | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has been under way, or took."""
        return (self.ended or time.monotonic()) - self.started

    def faults(self) -> list[str]:
        """Return how the end differs from what the case says; empty when it ended as it should."""
        if self.run.get("status") not in ENDED:
            return [f"did not end within {self.seconds:.0f} s, it is {self.run.get('status', 'unknown')}"]
        found = self.case.outcome.faults(self.run)
        if self.case.compensation is None:
            return found
        if not self.compensation:
            return [*found, f"{self.case.compensation.workflow} was not started"]
        return found + [
            f"{self.case.compensation.workflow}: {fault}" for fault in self.case.compensation.faults(self.compensation)
        ]


def start(conductor: Conductor, cases: Sequence[Case], workspace: Path, site: str) -> list[Track]:
    """Start every case and return their tracks."""
    return [Track(case, conductor.start(case.start(workspace, site)), time.monotonic()) for case in cases]


def follow(
    conductor: Conductor, tracks: Sequence[Track], seconds: float, show: Callable[[Sequence[Track]], None]
) -> None:
    """Look at every open run until all have ended or the time is up; ``show`` is called after every round."""
    deadline = time.monotonic() + seconds
    while True:
        for track in tracks:
            if track.ended is None:
                _look(conductor, track)
        show(tracks)
        if all(track.ended for track in tracks) or time.monotonic() > deadline:
            return
        time.sleep(LOOK_SECONDS)


def _look(conductor: Conductor, track: Track) -> None:
    track.run = conductor.run(track.workflow_id)
    if track.run["status"] not in ENDED:
        _approve(conductor, track)
        return
    now = time.monotonic()
    track.run_ended = track.run_ended or now
    if track.case.compensation is not None and track.run["status"] == track.case.outcome.status:
        track.compensation = _compensation(conductor, track.run)
        if not track.compensation:
            track.ended = now if now - track.run_ended > COMPENSATION_START_SECONDS else None
            return
        if track.compensation["status"] not in ENDED:
            return
    track.ended = now


def _compensation(conductor: Conductor, failed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run that undoes a failed one; empty while its start is a message that nobody has taken up yet."""
    undoing = compensation_id(failed)
    if undoing is None:
        return {}
    try:
        return conductor.run(undoing)
    except NotThere:
        return {}


def _approve(conductor: Conductor, track: Track) -> None:
    for task in track.run["tasks"]:
        reference = task["referenceTaskName"]
        waits = task["status"] == "IN_PROGRESS" and reference in track.case.approvals
        if waits and reference not in track.approved:
            conductor.complete(track.workflow_id, reference, track.case.approvals[reference])
            track.approved.add(reference)
