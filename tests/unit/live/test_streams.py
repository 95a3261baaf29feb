"""Live streams tell how things stand, then what changes, and whoever comes again misses nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from engine.api import event_stream, run_stream
from engine.model.status import WorkflowStatus

from .conftest import Doors, step


class Event(NamedTuple):
    name: str
    data: Any
    id: str | None


class Stream:
    """A stream as a browser reads it."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.iter_lines()

    def next(self) -> Event:
        fields: dict[str, str] = {}
        for line in self.lines:
            if not line and "data" in fields:
                return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
            name, _, value = line.partition(": ")
            fields[name] = value
        raise EOFError

    def rest(self) -> list[Event]:
        found = []
        try:
            while True:
                found.append(self.next())
        except EOFError:
            return found


@contextmanager
def stream(doors: Doors, path: str, **headers: str) -> Iterator[Stream]:
    with httpx.stream("GET", doors.url + path, headers=headers, timeout=60) as response:
        assert response.status_code == 200, response.read()
        yield Stream(response)


def statuses(event: Event) -> dict[str, str]:
    return {task["referenceTaskName"]: task["status"] for task in event.data["tasks"]}


def version(event: Event) -> int:
    assert event.id is not None
    return int(event.id)


def test_a_run_is_told_of_as_it_stands_and_then_as_it_changes_until_it_has_ended(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a"), step("b")), correlationId="c")
    with stream(doors, f"/workflow/{run}/stream") as live:
        first = live.next()
        doors.report(run, "a")
        second = live.next()
        doors.report(run, "b")
        third, end = live.rest()

    begun = version(first)
    assert (first.name, statuses(first)) == ("snapshot", {"a": "SCHEDULED"})
    assert (first.data["workflow"]["status"], first.data["workflow"]["correlationId"]) == ("RUNNING", "c")
    assert (second.name, version(second)) == ("change", begun + 1)
    assert statuses(second) == {"a": "COMPLETED", "b": "SCHEDULED"}
    assert (third.name, version(third), statuses(third)) == ("change", begun + 2, {"b": "COMPLETED"})
    assert third.data["workflow"]["status"] == "COMPLETED"
    assert end == Event("end", {"workflowId": run, "status": "COMPLETED"}, third.id)


def test_proxies_are_told_not_to_collect_what_is_sent(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a", "NOOP")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        headers = live.response.headers
    assert headers["Content-Type"].startswith("text/event-stream")
    assert (headers["X-Accel-Buffering"], headers["Cache-Control"]) == ("no", "no-cache, no-transform")


def test_who_comes_again_and_has_missed_something_is_told_everything(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a"), step("b")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        last = version(live.next())
    doors.report(run, "a")
    with stream(doors, f"/workflow/{run}/stream", **{"Last-Event-ID": str(last)}) as live:
        again = live.next()
    assert (again.name, version(again)) == ("snapshot", last + 1)
    assert statuses(again) == {"a": "COMPLETED", "b": "SCHEDULED"}


def test_who_comes_again_and_has_missed_nothing_hears_only_what_is_new(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a"), step("b")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        last = live.next().id
    with stream(doors, f"/workflow/{run}/stream?lastEventId={last}") as live:
        doors.report(run, "a")
        assert statuses(live.next()) == {"a": "COMPLETED", "b": "SCHEDULED"}


def test_who_comes_again_after_the_end_need_not_come_any_more(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a", "NOOP")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        last = live.rest()[-1].id

    assert doors.http.get(f"/workflow/{run}/stream", headers={"Last-Event-ID": str(last)}).status_code == 204


def test_tasks_that_are_done_over_are_told_to_be_gone(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a"), step("b", "WAIT")))
    doors.report(run, "a")
    with stream(doors, f"/workflow/{run}/stream") as live:
        live.next()
        assert doors.http.post(f"/workflow/{run}/jump/a", json={}).status_code == 200
        told = live.next()
        assert doors.http.delete(f"/workflow/{run}").status_code == 200
        assert live.rest()[-1].data["status"] == "TERMINATED"
    assert told.data["removed"] == [f"{run}.1", f"{run}.2"]
    assert statuses(told) == {"a": "SCHEDULED"}


def test_large_runs_are_told_of_in_pages_of_which_the_last_has_the_version(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_stream, "_PAGE", 2)
    branches = [[step(f"b{number}")] for number in range(4)]
    run = doors.start(doors.registered(step("f", "FORK_JOIN", forkTasks=branches), step("j", "JOIN", joinOn=["b0"])))
    with stream(doors, f"/workflow/{run}/stream") as live:
        pages = [live.next() for _ in range(3)]
    assert [(page.name, page.id is not None, len(page.data["tasks"])) for page in pages] == [
        ("snapshot", False, 2),
        ("change", False, 2),
        ("change", True, 2),
    ]


def test_a_run_that_is_not_there_is_a_404(doors: Doors) -> None:
    assert doors.http.get("/workflow/none/stream").status_code == 404


def test_a_run_that_is_removed_ends_its_stream(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        live.next()
        assert doors.http.delete(f"/workflow/{run}/remove?archiveWorkflow=false").status_code == 200
        assert live.rest()[-1].name == "end"


def test_a_stream_outlives_the_loss_of_the_broker(doors: Doors) -> None:
    run = doors.start(doors.registered(step("a")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        live.next()
        doors.hub.disconnect()
        doors.until(lambda: doors.http.post(f"/tasks/{run}/a/COMPLETED", json={}).status_code == 200)
        assert live.rest()[-1].data["status"] == "COMPLETED"


def test_the_counts_of_some_workflows_are_told_whenever_they_change(doors: Doors) -> None:
    name, other = doors.registered(step("a")), doors.registered(step("a", "NOOP"))
    with stream(doors, f"/stream?workflowType={name},{other}") as live:
        assert live.next().data == {"counts": dict.fromkeys(WorkflowStatus, 0), "total": 0}
        run = doors.start(name)
        assert live.next().data["counts"]["RUNNING"] == 1
        doors.start(doors.registered(step("a")))
        doors.report(run, "a")
        told = live.next().data
    assert (told["counts"]["RUNNING"], told["counts"]["COMPLETED"], told["total"]) == (0, 1, 1)


def test_the_counts_of_all_workflows_are_told_without_a_filter(doors: Doors) -> None:
    with stream(doors, "/stream") as live:
        before = live.next().data["total"]
        doors.start(doors.registered(step("a")))
        assert live.next().data["total"] > before


def test_silent_streams_show_that_they_are_alive(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_stream, "HEARTBEAT_SECONDS", 0.01)
    run = doors.start(doors.registered(step("a")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        assert any(line == ": alive" for line in live.lines)


def test_a_client_that_goes_makes_room_for_another_stream(open_doors: Callable[..., Doors]) -> None:
    doors = open_doors(waiting_limit=1)
    run = doors.start(doors.registered(step("a")))
    with stream(doors, f"/workflow/{run}/stream") as live:
        live.next()
        assert doors.http.get("/stream").status_code == 429

    def opened() -> bool:
        with httpx.stream("GET", f"{doors.url}/stream", timeout=60) as response:
            return response.status_code == 200

    doors.until(opened)


def test_streams_end_with_the_server(open_doors: Callable[..., Doors]) -> None:
    doors = open_doors()
    run = doors.start(doors.registered(step("a")))
    with stream(doors, f"/workflow/{run}/stream") as live, stream(doors, "/stream") as counts:
        live.next()
        ending = doors.later(doors.end_server)
        assert live.rest() == []
        counts.rest()
        ending.result()


def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "_STALLED_SECONDS", 0.01)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield event_stream.HEARTBEAT

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    let_go = threading.Event()
    with ExitStack() as held:
        held.callback(let_go.set)
        answer = event_stream.EventStream(endless(), held.pop_all())
    asyncio.run(answer({"type": "http", "asgi": {"spec_version": "2.3"}}, never, never))
    assert let_go.is_set()
