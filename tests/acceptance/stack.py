"""The whole of Baton as processes on a database and a virtual host of its own, and a client's view of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import kombu
import pika

from demo.cases import ENDED
from deploy.endpoint import free_ports
from engine.config import LOOPBACK
from engine.wire.message import START_QUEUE
from tests.acceptance.processes import BIN, PATIENCE, Process, Processes, until

#: Short pauses, so that what takes minutes in production takes moments here.
HASTE: Mapping[str, str] = {
    "BATON_LEASE_SECONDS": "3",
    "BATON_PARTITIONS": "4",
    "BATON_RESCUER_INTERVAL_SECONDS": "0.5",
    "BATON_RING_LEASE_SECONDS": "2",
    "BATON_TIMEKEEPER_IDLE_SECONDS": "0.25",
    "BATON_DRAIN_SECONDS": "10",
}


class Stack:
    """Processes that share one database and one broker.

    ``pauses`` are those settings that a test wants otherwise than production has them; ``{}`` leaves all as they are.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        broker_url: str,
        pauses: Mapping[str, str] = HASTE,
        **settings: str,
    ) -> None:
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.broker_url = broker_url
        self.database_url = database_url
        self.processes = Processes(folder)
        self.environment = {
            **pauses,
            "BATON_DATABASE_URL": database_url,
            "BATON_BROKER_URL": broker_url,
            "BATON_HTTP_PORT": str(port),
            # The services that the tests' workflows call run on this machine.
            "BATON_OUTGOING_LOOPBACK_NETWORKS": LOOPBACK,
            "BATON_SERVER_URL": self.url,
            **settings,
        }
        self._http = httpx.Client(base_url=self.url, timeout=30)

    # processes

    def baton(self, *command: str) -> Process:
        """Start one of Baton's own processes."""
        return self.processes.start("-".join(command[:2]), [str(BIN / "baton"), *command], self.environment)

    def celery(self, app: str, name: str, *options: str, **variables: str) -> Process:
        """Start a plain Celery worker; ``-c``, ``-P`` and ``-Q`` are options."""
        command = [str(BIN / "celery"), "-A", app, "worker", "-l", "info", "-n", f"{name}@box", *options]
        return self.processes.start(name, command, {**self.environment, **variables})

    def ready(self, *processes: Process) -> None:
        """Wait until these take work: services of the road, the timekeeper, or Celery workers."""
        for process in processes:
            process.says(" ready." if "worker" in process.name else "service.ready")

    def serve(self) -> Process:
        """Start the server and wait until it is healthy."""
        server = self.baton("server")
        self.healthy()
        return server

    def serve_beside(self) -> tuple[Process, str]:
        """Start another server, and wait until it listens; return it and where it answers."""
        port = str(free_ports(1)[0])
        # A port is one server's: this one takes none for gRPC.
        environment = {**self.environment, "BATON_HTTP_PORT": port, "BATON_GRPC_PORT": ""}
        server = self.processes.start("other-server", [str(BIN / "baton"), "server"], environment)
        server.says("server.listening")
        return server, f"http://127.0.0.1:{port}"

    def healthy(self) -> None:
        """Wait until the server says that it, the database and the broker are well."""
        until("the server is healthy", self.is_healthy)

    def close(self) -> None:
        """End everything."""
        self._http.close()
        self.processes.end()

    # what a client does

    def define(self, *workflows: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]] = ()) -> None:
        """Register definitions over HTTP."""
        if tasks:
            self.call("POST", "/api/metadata/taskdefs", json=list(tasks))
        for workflow in workflows:
            self.call("POST", "/api/metadata/workflow", params={"overwrite": True}, json=workflow)

    def define_folder(self, folder: Path) -> None:
        """Register every definition below a folder."""
        self.define(
            *(json.loads(file.read_text()) for file in sorted((folder / "workflows").glob("*.json"))),
            tasks=[json.loads(file.read_text()) for file in sorted((folder / "tasks").glob("*.json"))],
        )

    def publish(self, body: bytes, message_id: str | None = None) -> None:
        """Publish a message to the start queue, with nothing but a client of the broker, and wait for its confirm."""
        if not self.broker_url.startswith("amqp"):
            with kombu.Connection(self.broker_url) as connection:
                connection.Producer().publish(
                    body, routing_key=START_QUEUE, message_id=message_id, content_type="application/json"
                )
            return
        with pika.BlockingConnection(pika.URLParameters(self.broker_url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2, message_id=message_id)
            channel.basic_publish("", START_QUEUE, body, properties, mandatory=True)

    def start(self, name: str, message_id: str | None = None, **fields: Any) -> str:
        """Publish a start message and return the id that its run will have."""
        workflow_id = str(uuid.uuid4())
        self.publish(json.dumps({"name": name, "workflowId": workflow_id, **fields}).encode(), message_id)
        return workflow_id

    def run(self, workflow_id: str) -> dict[str, Any] | None:
        """Return a run with its tasks, None when there is none (yet) or the server cannot look just now."""
        answer = self._http.get(f"/api/workflow/{workflow_id}")
        if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.SERVICE_UNAVAILABLE):
            return None
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def when(self, workflow_id: str, what: str, look: Any, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until a run exists and ``look`` finds it as wanted; return it."""
        found: dict[str, Any] = {}

        def matches() -> bool:
            found.clear()
            found.update(self.run(workflow_id) or {})
            return bool(found) and bool(look(found))

        try:
            until(f"run {workflow_id} {what}", matches, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found.get('status', 'unknown')}: {tasks_of(found)}") from None
        return found

    def ended(self, workflow_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until a run has ended; return it."""
        return self.when(workflow_id, "has ended", lambda run: run["status"] in ENDED, seconds)

    def call(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """Call the server; an answer that is an error fails the test with the server's words."""
        answer = self._http.request(method, path, **parts)
        assert not answer.is_error, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer

    def command(self, *arguments: str, code: int = 0) -> Any:
        """Run a ``baton`` command with ``--output json``; check its exit code and return what it printed."""
        done = self.processes.run([str(BIN / "baton"), *arguments, "--output", "json"], self.environment)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout if done.stdout.strip() else done.stderr)

    def is_healthy(self) -> bool:
        """Tell whether the server is there and says that all is well."""
        try:
            return self._http.get("/health", timeout=2).is_success
        except httpx.TransportError:
            return False


def simple(name: str, ref: str | None = None, **inputs: Any) -> dict[str, Any]:
    """Return the configuration of a SIMPLE task."""
    return {"name": name, "taskReferenceName": ref or name, "type": "SIMPLE", "inputParameters": inputs}


def workflow(name: str, *tasks: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a workflow's definition."""
    return {"name": name, "version": 1, "schemaVersion": 2, "tasks": list(tasks), **fields}


def task_def(name: str, **fields: Any) -> dict[str, Any]:
    """Return a task's definition without retries, unless fields say otherwise."""
    return {"name": name, "retryCount": 0, "retryDelaySeconds": 0, "retryLogic": "FIXED", "timeoutSeconds": 0, **fields}


def tasks_of(run: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return reference, status and reason of each task."""
    return [
        (each["referenceTaskName"], each["status"], each.get("reasonForIncompletion")) for each in run.get("tasks", [])
    ]


def vanilla(stack: Stack) -> dict[str, str]:
    """Return what the vanilla app needs to know; it knows nothing of ours."""
    return {"PYTHONPATH": str(Path(__file__).parent), "VANILLA_BROKER": stack.broker_url}
