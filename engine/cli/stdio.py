"""``baton worker stdio``: any program carries tasks, its input on standard input and its output on standard output."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from typing import Any

import click

from engine.cli.client import Client
from engine.cli.failure import CONFLICT, NOT_FOUND, UNREACHABLE, Failure
from engine.errors import BadMessage
from engine.masking import visible
from engine.wire.json_text import parse_text

#: Milliseconds that one poll waits for a task.
_WAIT_MS = 5_000

#: Seconds between two attempts to reach a server that is away.
_BACK_OFF_SECONDS = 1.0

#: The part of the response timeout after which the server is told that the program still runs.
_LEASE_PART = 0.8

#: What a program exits with when trying again cannot help.
_TERMINAL = 100

#: Characters of a program's last words that become the reason.
_LAST_WORDS = 500


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("task_type", metavar="TYPE")
@click.argument("command", metavar="COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--domain", help="Take tasks of this domain only.")
@click.option("--limit", type=click.IntRange(1), help="End after so many tasks.")
@click.option("--server", metavar="URL", envvar="BATON_SERVER_URL", show_envvar=True, help="Where the server is.")
def stdio(task_type: str, command: tuple[str, ...], domain: str | None, limit: int | None, server: str | None) -> None:
    """Carry tasks of TYPE by a program, started anew for each; start this several times for several at a time.

    The task's input is the program's standard input, as JSON; a JSON object on its standard output is the task's
    output, and anything else becomes {"result": text}. Exit code 0 completes the task, 100 fails it for good, every
    other one fails the attempt, with the last words on standard error as the reason.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    poll = {"workerid": worker, "domain": domain, "timeout": _WAIT_MS}
    done = 0
    while limit is None or done < limit:
        with Client(server) as client:
            found = _insisting(client, "GET", ("tasks", "poll", "batch", task_type), **poll)
            for task in found:
                _report(client, {**_named(task, worker), **_carried(client, task, command)})
                done += 1


def _report(client: Client, result: dict[str, Any]) -> None:
    """Report a result; where the server refuses it, as one that is too large, report that."""
    try:
        _insisting(client, "POST", ("tasks",), result)
    except Failure as refusal:
        if refusal.code in (NOT_FOUND, CONFLICT):
            # Nobody waits for it any more.
            refusal.show()
            return
        lost = {"status": "FAILED", "outputData": {}, "reasonForIncompletion": refusal.message}
        result = {**result, **lost}
        _insisting(client, "POST", ("tasks",), result)
    click.echo(visible(f"{result['taskId']} {result['status']}", ""))


def _insisting(client: Client, method: str, path: tuple[str, ...], body: object = None, **query: object) -> Any:
    """Call until the server can be reached; what it refuses is not insisted upon."""
    told = False
    while True:
        try:
            return client.call(method, path, query, body)
        except Failure as failure:
            if failure.code != UNREACHABLE:
                raise
            if not told:
                failure.show()
            told = True
            time.sleep(_BACK_OFF_SECONDS)


def _carried(client: Client, task: dict[str, Any], command: tuple[str, ...]) -> dict[str, Any]:
    """Run the program on a task and return what it has come to; the lease is extended while it runs."""
    known = {"BATON_TASK_ID": task["taskId"], "BATON_WORKFLOW_ID": task["workflowInstanceId"]}
    known["BATON_RETRY_COUNT"] = str(task["retryCount"])
    try:
        process = subprocess.Popen(  # noqa: S603  whoever gives the command is whoever runs this
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **known},
        )
    except OSError as error:
        raise Failure(f"{command[0]} cannot be started: {error.strerror}.") from None
    pause = (task.get("responseTimeoutSeconds") or 3600) * _LEASE_PART
    given: bytes | None = json.dumps(task["inputData"]).encode()
    while True:
        try:
            out, err = process.communicate(given, timeout=pause)
            return _result(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        except subprocess.TimeoutExpired:
            given = None
            _insisting(client, "POST", ("tasks",), {**_named(task, None), "status": "IN_PROGRESS", "extendLease": True})
        except BaseException:
            process.kill()
            raise


def _result(code: int, out: str, err: str) -> dict[str, Any]:
    output = _output(out.strip())
    if code == 0:
        return {"status": "COMPLETED", "outputData": output}
    status = "FAILED_WITH_TERMINAL_ERROR" if code == _TERMINAL else "FAILED"
    reason = err.strip()[-_LAST_WORDS:] or f"The program ended with exit code {code}."
    return {"status": status, "outputData": output, "reasonForIncompletion": reason}


def _output(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = parse_text(text, "the output")
    except BadMessage:
        value = text
    return value if isinstance(value, dict) else {"result": value}


def _named(task: dict[str, Any], worker: str | None) -> dict[str, Any]:
    return {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "workerId": worker}
