"""The process in which scripts run: takes a job, answers, and waits for the next; it can be killed at any time."""

from __future__ import annotations

import resource
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.expression.jq_program import run_jq
from engine.expression.script import evaluate
from engine.model.payload import Json

_LENGTH: Final = struct.Struct(">Q")

#: Seconds after its time limit when a child ends itself, should its parent no longer be there to do so.
_LAST_RESORT: Final = 5.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to evaluate: ``script`` takes evaluator type, expression and input, ``jq`` a program and a value."""

    kind: str
    arguments: list[Json]
    time_limit_seconds: float


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value, or why there is none: a ``fault`` of the expression, or a ``limit`` that was reached."""

    value: Json = None
    fault: str | None = None
    limit: str | None = None


def write_frame(connection: socket.socket, body: bytes, deadline: float | None = None) -> None:
    """Send one message; raise TimeoutError after ``deadline`` (monotonic seconds)."""
    connection.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
    connection.sendall(_LENGTH.pack(len(body)) + body)


def read_frame(connection: socket.socket, deadline: float | None = None) -> bytes:
    """Return one message; raise TimeoutError after ``deadline``, EOFError when the other side is gone."""
    (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size, deadline))
    return _read(connection, length, deadline)


def _read(connection: socket.socket, length: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        connection.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        part = connection.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def answer(job: Job, memory_limit_bytes: int) -> Answer:
    """Return what the job evaluates to, or why it does not."""
    try:
        match job.kind, job.arguments:
            case "script", [evaluator, expression, value]:
                result = evaluate(
                    evaluator,
                    expression,
                    value,
                    time_limit_seconds=job.time_limit_seconds,
                    # Less than the process may take, so that the script is told why it ends.
                    memory_limit_bytes=memory_limit_bytes // 2,
                )
                return Answer(value=result)
            case "jq", [program, value]:
                return Answer(value=run_jq(program, value))
            case kind, _:
                return Answer(fault=f"There is no evaluator called {kind!r}")
    except ScriptLimitExceeded as error:
        return Answer(limit=str(error))
    except BadExpression as error:
        return Answer(fault=str(error))


def _limit_memory(allowance: int) -> None:
    """Let the process take ``allowance`` bytes more than it has; where the system does not tell, the whole counts."""
    statm = Path("/proc/self/statm")
    held = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (held + allowance, held + allowance))


def main() -> None:
    """Serve the socket whose number is the first argument, within the bytes of memory that are the second."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    memory_limit_bytes = int(sys.argv[2])
    decode = msgspec.json.Decoder(Job).decode
    _limit_memory(memory_limit_bytes)
    write_frame(connection, b"ready")
    while True:
        try:
            job = decode(read_frame(connection))
        except (EOFError, OSError):
            return
        # The default action of the alarm ends the process even in the middle of C code.
        signal.setitimer(signal.ITIMER_REAL, job.time_limit_seconds + _LAST_RESORT)
        body = msgspec.json.encode(answer(job, memory_limit_bytes))
        signal.setitimer(signal.ITIMER_REAL, 0)
        write_frame(connection, body)


if __name__ == "__main__":
    main()
