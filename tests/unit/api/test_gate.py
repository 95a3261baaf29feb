"""The gate before all routes: how many come in, and what those hear who do not."""

import asyncio

import pytest

from engine.api.gate import Gate


class House:
    """An application that answers when it is told to."""

    def __init__(self):
        self.entered = 0
        self.open = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.entered += 1
        await self.open.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def call(gate, path="/api/workflow/w", method="GET"):
    sent = []

    async def send(message):
        sent.append(message)

    await gate({"type": "http", "path": path, "method": method, "headers": []}, None, send)
    return sent


async def crowd(paths, most=2):
    """Return the statuses of calls that all come before the first is answered."""
    house = House()
    gate = Gate(house, most)
    calls = [asyncio.create_task(call(gate, path)) for path in paths]
    while house.entered + sum(each.done() for each in calls) < len(calls):
        await asyncio.sleep(0)
    house.open.set()
    return [(await each)[0] for each in calls]


def test_above_its_limit_calls_are_turned_away_and_told_when_to_come_again():
    first, second, third = asyncio.run(crowd(["/api/workflow/w"] * 3))

    assert (first["status"], second["status"], third["status"]) == (200, 200, 429)
    assert (b"retry-after", b"1") in third["headers"]


@pytest.mark.parametrize(
    "path", ["/api/tasks/poll/batch/resize", "/api/workflow/w/stream", "/api/workflow/execute/w/1"]
)
def test_those_that_wait_do_not_count(path):
    assert [each["status"] for each in asyncio.run(crowd([path] * 3))] == [200, 200, 200]


def test_whoever_has_gone_makes_room():
    async def one_after_the_other():
        house = House()
        house.open.set()
        gate = Gate(house, 1)
        return [(await call(gate))[0]["status"] for _ in range(3)]

    assert asyncio.run(one_after_the_other()) == [200, 200, 200]


def test_head_is_get_without_the_body(client):
    asked = client.head("/api/version")

    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == str(len(client.get("/api/version").content))
