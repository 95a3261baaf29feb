"""Everything is lost but a dump of the database, taken in the middle of work: its open workflows go on to their end."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.endpoint import Servers
from deploy.private_postgres import PrivatePostgres, programs
from deploy.probe import conninfo
from deploy.vhosts import Vhosts
from tests.acceptance.dev import Dev
from tests.acceptance.gated import STEPS, chains_end_well, define_chain, start_chains, under_way
from tests.acceptance.processes import Process, until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow

#: Runs of each kind under load.
LOAD = 12


class Site:
    """A database of its own, a virtual host, and the processes: all of it can be lost."""

    def __init__(self, folder: Path, database_url: str, vhosts: Vhosts) -> None:
        self._folder = folder
        self._vhosts = vhosts
        self._name = f"site_{uuid.uuid4().hex}"
        self._dump = folder / "baton.dump"
        self._admin = conninfo(database_url)
        self._database = conninfo(database_url.rpartition("/")[0] + "/baton")
        self._started: list[Process] = []
        self._lay_out()
        self.stack = Stack(folder / "stack", database_url.rpartition("/")[0] + "/baton", self._broker_url)
        self.processes = self.stack.processes

    def start(self) -> None:
        """Start every kind of process that the runs need."""
        services = [self.stack.baton(name) for name in ("decider", "decider", "starter", "timekeeper")]
        worker = self.stack.celery("vanilla", "worker-vanilla", "-c", "2", "-Q", "add,hold", **vanilla(self.stack))
        server = self.stack.serve()
        self.stack.ready(*services, worker)
        self._started = [*services, worker, server]

    def back_up(self) -> None:
        """Take a dump while everything runs."""
        self._run("pg_dump", "--format=custom", f"--file={self._dump}", f"--dbname={self._database}")

    def burn_down(self) -> None:
        """Lose every process, the broker's data and the database, all at once."""
        for process in self._started:
            process.kill()
        self._vhosts.delete(self._name)
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE baton WITH (FORCE)")

    def restore(self) -> None:
        """Make an empty broker, and the database as it was dumped."""
        self._lay_out()
        self._run("pg_restore", "--exit-on-error", f"--dbname={self._database}", str(self._dump))

    def open_runs(self) -> int:
        """Count the open runs in the database."""
        with psycopg.connect(self._database) as connection:
            found = connection.execute("SELECT count(*) FROM workflow WHERE status IN ('RUNNING', 'PAUSED')").fetchone()
        assert found is not None
        return int(found[0])

    def close(self) -> None:
        """End everything."""
        self.stack.close()
        self._vhosts.delete(self._name)

    def _lay_out(self) -> None:
        self._broker_url = self._vhosts.create(self._name)
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute("CREATE DATABASE baton TEMPLATE template0 ENCODING 'UTF8'")

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        subprocess.run([str(folder / program), *arguments], check=True, timeout=180)


@pytest.fixture
def site(servers: Servers, tmp_path: Path) -> Iterator[Site]:
    """Return a site on a Postgres of its own, beside which the programs for its dumps lie."""
    directory = Path(tempfile.mkdtemp(prefix="baton-backup-", dir="/var/tmp"))
    directory.chmod(0o755)
    postgres = PrivatePostgres(directory / "postgres")
    try:
        found = Site(tmp_path, postgres.start(), Vhosts(servers.broker_url, servers.management_url))
        yield found
        found.close()
    finally:
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)


def define(stack: Stack) -> None:
    define_chain(stack)
    wait = {"name": "wait", "taskReferenceName": "wait", "type": "WAIT", "inputParameters": {"duration": "4 seconds"}}
    person = {"name": "person", "taskReferenceName": "person", "type": "HUMAN"}
    child = {**simple("child", start=100), "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "chain"}}
    stack.define(
        workflow("waiting", wait, simple("add", left=1, right=1), outputParameters={"sum": "${add.output.sum}"}),
        workflow("asking", person, outputParameters={"said": "${person.output.said}"}),
        workflow("family", child, outputParameters={"sum": "${child.output.sum}"}),
        workflow("begun", simple("hold", gate="${workflow.input.gate}"), outputParameters={"done": True}),
        # Nothing but a rescue will ever send this one again.
        tasks=[task_def("hold", responseTimeoutSeconds=0)],
    )


def test_every_open_workflow_of_a_dump_goes_on_after_everything_else_was_lost(site: Site, tmp_path: Path) -> None:
    stack, gate = site.stack, tmp_path / "gate"
    site.start()
    define(stack)
    # Given runs of many kinds under way, one of whose tasks a worker has reported to be at work on
    begun = stack.start("begun", input={"gate": str(gate)})
    asking = [stack.start("asking") for _ in range(2)]
    families = [stack.start("family") for _ in range(3)]
    waiting = [stack.start("waiting") for _ in range(3)]
    stack.when(begun, "has begun", lambda run: run["tasks"])
    report = {"workflowInstanceId": begun, "status": "IN_PROGRESS", "extendLease": True}
    task = stack.when(begun, "has begun", lambda run: run["tasks"])["tasks"][0]
    stack.call("POST", "/api/tasks", json={**report, "taskId": task["taskId"]})
    stack.when(begun, "is worked on", lambda run: run["tasks"][0]["status"] == "IN_PROGRESS")
    chains = start_chains(stack, LOAD)
    under_way(stack, chains)
    # A start that is still a message would be lost with the broker.
    until("every chain is a run", lambda: all(stack.run(each) is not None for each in chains))
    # And a dump that is old when everything is lost: the workers have gone on, and more was started
    site.back_up()
    late = str(uuid.uuid4())
    message = json.dumps({"name": "chain", "workflowId": late, "input": {"start": 7}}).encode()
    stack.publish(message, "late")
    stack.ended(late)
    until("a chain of the dump has ended", lambda: any(ended(stack, each) for each in chains))
    site.burn_down()
    gate.touch()
    # When the dump is restored and rescued, and the processes start again
    site.restore()
    in_dump = site.open_runs()
    assert in_dump >= LOAD / 2
    assert stack.command("rescue", "--workers-lost") == {"rescued": in_dump}
    site.start()
    # Then every workflow of the dump comes to its end, with each step counted once
    for each in asking:
        stack.call("POST", f"/api/tasks/{each}/person/COMPLETED", json={"said": "yes"})
        assert stack.ended(each)["output"] == {"said": "yes"}
    chains_end_well(stack, chains)
    assert [stack.ended(each)["output"] for each in families] == [{"sum": 100 + STEPS}] * 3
    assert [stack.ended(each)["output"] for each in waiting] == [{"sum": 2}] * 3
    assert stack.ended(begun)["status"] == "COMPLETED"
    # And what was started after the dump is started again by the same message, as the first time
    assert stack.run(late) is None
    stack.publish(message, "late")
    assert stack.ended(late)["output"] == {"sum": 7 + STEPS}
    assert site.open_runs() == 0


def ended(stack: Stack, run: str) -> bool:
    return (stack.run(run) or {}).get("status") == "COMPLETED"


def test_a_copy_of_the_file_that_dev_works_on_is_a_backup(tmp_path: Path) -> None:
    add = simple("add", left=1, right=2)
    person = {"name": "person", "taskReferenceName": "person", "type": "HUMAN"}
    first = Dev(tmp_path / "first process", tmp_path / "first")
    try:
        first.define(
            workflow("asking", person, add, outputParameters={"sum": "${add.output.sum}"}), tasks=[task_def("add")]
        )
        run = first.command("workflow", "start", "asking")["workflowId"]
        # Given a copy taken while it runs
        (tmp_path / "second").mkdir()
        with sqlite3.connect(tmp_path / "first" / "baton.db") as connection:
            connection.execute("VACUUM INTO ?", [str(tmp_path / "second" / "baton.db")])
    finally:
        first.close()
    # When dev is started on the copy
    second = Dev(tmp_path / "second process", tmp_path / "second")
    try:
        second.call("POST", f"/api/tasks/{run}/person/COMPLETED", json={})
        # Then the run goes on
        assert second.ended(run)["output"] == {"sum": 3}
    finally:
        second.close()
