"""What the server answers while its database or its broker is away, and once they are back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.opening import open_broker
from engine.store import open_store
from engine.store.migrate import migrate
from tests.acceptance.processes import until
from tests.tcp_proxy import TcpProxy

#: What needs neither database nor broker.
ALONE = re.compile(
    r"/(health|metrics|version|token|userInfo|context\.js|config|environment|secrets|queue|actuator).*|.*/queue/?"
)

#: Words that only the inside knows.
INSIDE = ("Traceback", "psycopg", "sqlalchemy", "pika", 'File "')


class Away:
    """A server in this process, with a door to its database and one to its broker."""

    def __init__(self, client: TestClient, database: TcpProxy, broker: TcpProxy) -> None:
        self.client = client
        self.database = database
        self.broker = broker

    def health(self) -> dict[str, bool]:
        return {each["name"]: each["healthy"] for each in self.client.get("/health").json()["healthResults"]}

    def operations(self, method: str) -> list[str]:
        """Return a path for each operation of this method, with a value in place of each parameter."""
        paths = self.client.get("/openapi.json").json()["paths"]
        filled = [re.sub(r"\{[^}]*\}", "1", path) for path, methods in paths.items() if method in methods]
        return [path for path in filled if not ALONE.fullmatch(path.removeprefix("/api"))]


@pytest.fixture
def away(postgres_url: str, rabbitmq_url: str) -> Iterator[Away]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    migrate(postgres_url)
    database, broker = TcpProxy(postgres_url, 5432), TcpProxy(rabbitmq_url, 5672)
    store = open_store(database.url)
    requester = Requester(lambda: open_broker(broker.url), 1, timeout_seconds=5.0, back_off_seconds=0.05)
    with TestClient(create_app(store, requester), raise_server_exceptions=False) as client:
        yield Away(client, database, broker)
    store.close()
    for proxy in (database, broker):
        proxy.close()


def refused(response: Any) -> bool:
    """Return whether a response says, in Conductor's body and without a word of the inside, to try again."""
    assert not [word for word in INSIDE if word in response.text]
    body = response.json()
    return bool(response.status_code == body["status"] == 503 and body["retryable"] and response.headers["Retry-After"])


def all_well(away: Away) -> Callable[[], bool]:
    return lambda: away.health() == {"database": True, "broker": True}


def test_without_its_database_every_reading_call_is_a_503_until_it_is_back(away: Away) -> None:
    until("all is well", all_well(away))
    away.database.shut()

    paths = away.operations("get")
    assert len(paths) > 30
    answers = {path: away.client.get(path, params={"cronExpression": "0 0 0 * * *"}) for path in paths}

    # Some are mistaken as they stand, or need no database for what they are asked.
    told = {path for path, each in answers.items() if each.status_code == 503}
    assert all(refused(answers[path]) for path in told)
    assert {each.status_code for path, each in answers.items() if path not in told} <= {200, 400, 404}
    assert {"/api/workflow/1", "/api/workflow/search", "/api/metadata/workflow", "/api/event", "/api/stream"} <= told
    assert refused(away.client.get("/api/tasks/w.1"))
    away.database.open()
    until("all is well again", all_well(away))
    assert away.client.get("/api/metadata/workflow").json() == []
    assert away.client.get("/api/workflow/1").status_code == 404


def test_without_its_broker_every_wish_is_a_503_until_it_is_back(away: Away) -> None:
    until("all is well", all_well(away))
    away.broker.shut()
    until("the broker is missed", lambda: not away.health()["broker"])

    assert refused(away.client.post("/api/workflow", json={"name": "order"}))
    for path in ("pause", "resume"):
        assert refused(away.client.put(f"/api/workflow/w/{path}"))
    several = away.client.put("/api/workflow/bulk/pause", json=["w"])
    assert several.status_code == 503 or "broker" in several.json()["bulkErrorResults"]["w"]
    assert away.client.get("/api/metadata/workflow").json() == []
    away.broker.open()
    until("all is well again", all_well(away))
