"""The six shipped workflows on RabbitMQ or Redis with separate processes, undisturbed and with processes killed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo import cases
from demo.follow import Track, follow
from demo.rest import Conductor
from demo.site import Site
from demo.workspace import prepare
from tests.acceptance.processes import ROOT, Process, until
from tests.acceptance.stack import Stack

#: Seconds within which all seven runs must end, also when processes are lost on the way.
SECONDS = 240.0


@pytest.fixture(scope="module", params=["whole", "whole_on_redis"])
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.getfixturevalue(request.param)
    found.define_folder(ROOT / "definitions")
    return found


def demo_worker(stack: Stack) -> Process:
    return stack.celery("demo.app:app", "worker-demo", "-c", "2")


@contextmanager
def published(stack: Stack, folder: Path) -> Iterator[list[Track]]:
    """Publish the start messages of all cases, and say which runs they make."""
    prepare(folder)
    with Site(folder / "public") as site:
        tracks = []
        for case in cases.load():
            workflow_id = str(uuid.uuid4())
            body = {**case.start(folder, site.url), "workflowId": workflow_id}
            stack.publish(json.dumps(body).encode(), message_id=f"start-{workflow_id}")
            tracks.append(Track(case, workflow_id, time.monotonic()))
        until("every run exists", lambda: all(stack.run(track.workflow_id) for track in tracks))
        yield tracks


def watch(stack: Stack, tracks: Sequence[Track]) -> dict[str, list[str]]:
    """Follow the runs to their ends, approve what waits for a person, and return what is wrong, by case."""
    conductor = Conductor(stack.url)
    try:
        follow(conductor, tracks, SECONDS, lambda _: None)
    finally:
        conductor.close()
    return {track.case.name: track.faults() for track in tracks if track.faults()}


def test_all_six_end_as_expected(stack: Stack, tmp_path: Path) -> None:
    worker = demo_worker(stack)
    with published(stack, tmp_path / "workspace") as tracks:
        assert watch(stack, tracks) == {}
    worker.ask_to_stop()
    worker.end()


def test_all_six_end_as_expected_when_a_worker_and_a_decider_are_killed(stack: Stack, tmp_path: Path) -> None:
    worker, doomed = demo_worker(stack), stack.baton("decider")
    stack.ready(worker, doomed)
    doomed.says("partitions.shared")
    with published(stack, tmp_path / "workspace") as tracks:
        # Given that all are under way and none is near its end.
        until("work is being done", lambda: completed(stack, tracks) > 5)
        # When a worker is lost with all that it was doing, and a decider with its partitions.
        worker.kill()
        doomed.kill()
        assert any(not ended(stack, track) for track in tracks)
        demo_worker(stack)
        # Then others go on.
        assert watch(stack, tracks) == {}


def completed(stack: Stack, tracks: Sequence[Track]) -> int:
    runs = [stack.run(track.workflow_id) or {} for track in tracks]
    return sum(task["status"] == "COMPLETED" for run in runs for task in run.get("tasks", []))


def ended(stack: Stack, track: Track) -> bool:
    run = stack.run(track.workflow_id)
    return run is not None and run["status"] in cases.ENDED
