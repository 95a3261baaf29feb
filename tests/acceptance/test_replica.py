"""Servers read from a streaming replica of Postgres: searches of an ordinary one, everything of one that only shows."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import URL, make_url

from deploy import packages
from deploy.endpoint import ServerMissing, Servers, free_ports
from deploy.private_postgres import PrivatePostgres, programs
from deploy.probe import conninfo
from deploy.vhosts import Vhosts
from engine.clock import SystemClock
from engine.config import Settings
from engine.services.replica_checkup import examine_replica
from engine.store.presence import processes
from tests.acceptance.processes import BIN, until
from tests.acceptance.stack import Stack, workflow


@dataclass
class Site:
    """Processes on a primary of their own, and where a server answers that only shows, from the replica."""

    stack: Stack
    standby: PrivatePostgres
    standby_url: URL
    shown: httpx.Client

    def replay(self, word: str) -> None:
        """Have the replica ``pause`` or ``resume``: what the primary writes meanwhile is not seen there."""
        with psycopg.connect(conninfo(self.standby_url.render_as_string(False)), autocommit=True) as connection:
            connection.execute(f"SELECT pg_wal_replay_{word}()")

    def found(self, workflow_id: str) -> bool:
        """Tell whether a search of the ordinary server finds a run."""
        found = self.stack.call("GET", "/api/workflow/search", params={"query": f'workflowId = "{workflow_id}"'})
        return bool(found.json()["results"])


def expect_postgres() -> None:
    """Have Postgres's programs, installed if need be: the tests' server may be another machine's."""
    if programs() is None:
        try:
            packages.install(["postgresql"])
        except ServerMissing as missing:
            pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="module")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    expect_postgres()
    # The folders that pytest makes cannot be entered by the user under whom Postgres runs.
    folder = Path(tempfile.mkdtemp(prefix="baton-replica-"))
    folder.chmod(0o755)
    primary, standby = PrivatePostgres(folder / "primary"), PrivatePostgres(folder / "standby")
    vhosts, name = Vhosts(servers.broker_url, servers.management_url), f"replica_{uuid.uuid4().hex}"
    broker_url = vhosts.create(name)
    stack = None
    try:
        primary_url = make_url(primary.start())
        assert primary_url.host
        assert primary_url.port
        standby.follow(primary_url.host, primary_url.port, str(primary_url.password))
        standby_url = make_url(standby.start())
        stack = Stack(
            tmp_path_factory.mktemp("replica"),
            primary_url.render_as_string(False),
            broker_url,
            # As large systems have them; every query of these processes meets them.
            BATON_TABLE_PARTITIONS="4",
            BATON_READ_DATABASE_URL=standby_url.render_as_string(False),
        )
        services = [stack.baton(each) for each in ("decider", "timekeeper")]
        stack.serve()
        stack.ready(*services)
        stack.define(workflow("short", {"name": "n", "taskReferenceName": "n", "type": "NOOP"}))
        port = str(free_ports(1)[0])
        environment = {
            **stack.environment,
            "BATON_DATABASE_URL": standby_url.render_as_string(False),
            "BATON_READ_DATABASE_URL": "",
            "BATON_READ_ONLY": "true",
            "BATON_HTTP_PORT": port,
        }
        stack.processes.start("shows", [str(BIN / "baton"), "server"], environment).says("server.listening")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as shown:
            yield Site(stack, standby, standby_url, shown)
    finally:
        if stack is not None:
            stack.close()
        for each in (standby, primary):
            each.stop()
        vhosts.delete(name)
        shutil.rmtree(folder, ignore_errors=True)


def begin(site: Site) -> str:
    return site.stack.call("POST", "/api/workflow", json={"name": "short"}).text


def test_a_run_is_there_by_its_id_at_once_and_in_searches_when_the_replica_has_it(site: Site) -> None:
    site.replay("pause")
    try:
        run = begin(site)
        assert site.stack.call("GET", f"/api/workflow/{run}").json()["workflowId"] == run
        assert not site.found(run)
    finally:
        site.replay("resume")
    until("the search finds the run", lambda: site.found(run))


def test_every_list_and_count_can_be_had_from_a_replica(site: Site) -> None:
    run = begin(site)
    until("the search finds the run", lambda: site.found(run))
    for path in (
        "/api/workflow/search?freeText=short&sort=startTime:ASC",
        "/api/workflow/search-v2?query=workflowType+IN+(short)",
        "/api/workflow/search-by-tasks?query=taskType+=+NOOP",
        "/api/tasks/search?query=status+=+COMPLETED",
        "/api/tasks/search-v2",
        "/api/workflow/running/short",
        "/api/workflow/short/correlated/none?includeClosed=true",
        "/metrics",
    ):
        site.stack.call("GET", path)
    assert 'baton_workflows{status="COMPLETED"}' in site.stack.call("GET", "/metrics").text
    with httpx.stream("GET", f"{site.stack.url}/api/stream", timeout=30) as stream:
        assert any('"COMPLETED"' in line for _, line in zip(range(10), stream.iter_lines(), strict=False))


def test_a_server_that_only_shows_needs_no_more_than_a_replica(site: Site) -> None:
    run = begin(site)
    until("the replica has the run", lambda: site.shown.get(f"/api/workflow/{run}").is_success)
    until("it has ended", lambda: site.shown.get(f"/api/workflow/{run}").json()["status"] == "COMPLETED")
    for path in (f"/api/workflow/{run}/tasks", f"/api/workflow/{run}/history", "/api/metadata/workflow", "/metrics"):
        assert site.shown.get(path).is_success, path
    assert site.shown.get("/api/workflow/search", params={"freeText": run}).json()["totalHits"] == 1
    assert site.shown.get("/health").json()["healthy"] is True
    alive = processes(site.stack.database_url, SystemClock().now())
    assert sorted(each.kind for each in alive) == ["decider", "server", "timekeeper"]


def test_a_server_that_only_shows_turns_changes_away_and_says_why(site: Site) -> None:
    for method, path in (
        ("POST", "/api/workflow"),
        ("PUT", "/api/workflow/bulk/pause"),
        ("DELETE", "/api/workflow/x/remove"),
        ("GET", "/api/tasks/poll/add"),
        ("POST", "/api/metadata/workflow"),
    ):
        answer = site.shown.request(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()["retryable"]) == (405, False), path
        assert "BATON_READ_ONLY" in answer.json()["message"]


def test_the_doctor_says_whether_the_replica_follows(site: Site) -> None:
    settings = Settings(read_database_url=site.standby_url.render_as_string(False))
    begin(site)
    assert [each.state for each in examine_replica(settings)] == ["ok"]


def test_without_the_replica_searches_fail_and_all_else_goes_on(site: Site) -> None:
    site.standby.stop()
    answer = httpx.get(f"{site.stack.url}/api/workflow/search", timeout=60)
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    run = begin(site)
    assert site.stack.ended(run)["status"] == "COMPLETED"
    health = site.stack.call("GET", "/health").json()
    assert health["healthy"] is True
    assert [each["name"] for each in health["healthResults"] if not each["healthy"]] == ["read database"]
    [finding] = examine_replica(Settings(read_database_url=site.standby_url.render_as_string(False)))
    assert (finding.state, "503" in str(finding.remedy)) == ("fault", True)
