"""Following runs: people's approvals are given once, compensations awaited, and nothing is waited for without end."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from demo.board import Board, print_results
from demo.cases import Case, load
from demo.follow import Track, follow, start
from demo.rest import Conductor, DemoFailed

CASES = {case.name: case for case in load()}
DECLINED = CASES["order_fulfilment (declined)"]
PIPELINE = CASES["ci_cd_pipeline"]


class Script:
    """What a server answers: for each run the looks at it in order, the last one for ever; ``None`` is a 404."""

    def __init__(self) -> None:
        self.looks: dict[str, list[dict[str, Any] | None]] = {}
        self.posts: list[tuple[str, Any]] = []

    def look(self, path: str) -> dict[str, Any] | None:
        looks = self.looks.get(path.removeprefix("/api/workflow/").partition("?")[0])
        if not looks:
            return None
        return looks.pop(0) if len(looks) > 1 else looks[0]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def conductor(script: Script) -> Iterator[Conductor]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            run = script.look(self.path)
            self.answer(200 if run else 404, json.dumps(run or {"message": "No such workflow found by id"}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.posts.append((self.path, body))
            self.answer(200, "w1")

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Tests stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    client = Conductor(f"http://127.0.0.1:{server.server_port}")
    yield client
    client.close()
    server.shutdown()
    server.server_close()
    thread.join()


def run(case: Case, status: str, tasks: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    outcome = case.outcome
    shown = {"workflowName": outcome.workflow, "status": status, "output": dict(outcome.output), "tasks": tasks or []}
    return {**shown, "reasonForIncompletion": outcome.reason, **more}


def followed(conductor: Conductor, case: Case, seconds: float = 60) -> Track:
    tracks = start(conductor, [case], Path("/scratch"), "http://site")
    follow(conductor, tracks, seconds, lambda _: None)
    return tracks[0]


def test_a_start_carries_the_input_with_folder_and_site_filled_in(conductor: Conductor, script: Script) -> None:
    case = CASES["media_processing"]
    script.looks["w1"] = [run(case, "COMPLETED")]

    assert followed(conductor, case).faults() == []
    path, request = script.posts[0]
    assert (path, request["name"], request["version"]) == ("/api/workflow", "media_processing", 1)
    assert (request["input"]["workspace"], request["input"]["site"]) == ("/scratch", "http://site")


def test_a_waiting_approval_is_given_once(conductor: Conductor, script: Script) -> None:
    waiting = [{"referenceTaskName": "approval", "taskDefName": "approve_deployment", "status": "IN_PROGRESS"}]
    script.looks["w1"] = [
        run(PIPELINE, "RUNNING"),
        run(PIPELINE, "RUNNING", waiting),
        run(PIPELINE, "RUNNING", waiting),
        run(PIPELINE, "COMPLETED"),
    ]

    assert followed(conductor, PIPELINE).faults() == []
    assert script.posts[1:] == [("/api/tasks/w1/approval/COMPLETED", {"approved": True, "by": "release manager"})]


def test_a_failed_order_is_well_only_when_its_compensation_is(conductor: Conductor, script: Script) -> None:
    assert DECLINED.compensation is not None
    undone = {
        "workflowName": "order_compensation",
        "status": "COMPLETED",
        "output": dict(DECLINED.compensation.output),
        "tasks": [],
    }
    script.looks["w1"] = [
        run(DECLINED, "FAILED", output={}),
        run(DECLINED, "FAILED", output={"conductor.failure_workflow": "w2"}),
    ]
    # The failed run names it when its start is still a message.
    script.looks["w2"] = [None, {**undone, "status": "RUNNING"}, undone]

    assert followed(conductor, DECLINED).faults() == []


def test_a_compensation_that_fails_is_a_fault(conductor: Conductor, script: Script) -> None:
    script.looks["w1"] = [run(DECLINED, "FAILED", output={"conductor.failure_workflow": "w2"})]
    script.looks["w2"] = [{"workflowName": "order_compensation", "status": "FAILED", "output": {}, "tasks": []}]

    assert followed(conductor, DECLINED).faults() == ["order_compensation: ended FAILED, expected COMPLETED"]


def test_a_missing_compensation_is_a_fault(conductor: Conductor, script: Script) -> None:
    script.looks["w1"] = [run(DECLINED, "FAILED", output={})]

    assert followed(conductor, DECLINED, seconds=0.5).faults() == ["order_compensation was not started"]


def test_a_run_that_does_not_end_is_given_up_and_named(conductor: Conductor, script: Script) -> None:
    script.looks["w1"] = [run(PIPELINE, "RUNNING")]

    faults = followed(conductor, PIPELINE, seconds=0.5).faults()

    assert len(faults) == 1
    assert faults[0].endswith("it is RUNNING")


def test_what_the_server_refuses_is_told_in_its_words(conductor: Conductor) -> None:
    with pytest.raises(DemoFailed, match=r"404: .*No such workflow found by id"):
        conductor.run("nowhere")


def test_a_server_that_is_gone_is_told_as_such() -> None:
    client = Conductor("http://127.0.0.1:9")

    assert not client.healthy()
    with pytest.raises(DemoFailed, match="does not answer"):
        client.run("w1")
    client.close()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_board_shows_progress_and_folds_a_wide_fork(terminal: bool) -> None:
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=terminal, width=120, color_system=None)
    chunks = [
        {"referenceTaskName": f"_transform_chunk_{number}", "taskDefName": "transform_chunk", "status": "COMPLETED"}
        for number in range(12)
    ]
    case = CASES["etl_pipeline"]
    track = Track(case, "w1", 0.0, run(case, "RUNNING", chunks))

    with Board(console) as board:
        board.show([track])
        track.run = run(case, "COMPLETED", chunks)
        track.ended = 3.0
        board.show([track])
    print_results(console, [track])

    assert ("transform_chunk x 12: 12 COMPLETED" in printed.getvalue()) is terminal
    assert "RUNNING" in printed.getvalue()
    assert "as expected" in printed.getvalue()
