"""Runs scripts and jq programs in child processes that can be killed, whatever kind of worker they are called from.

A child is started once and used again; one that runs over its time, or its memory, is killed and replaced. Children
see none of the environment (jq's ``$ENV`` would show it).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Final

import msgspec

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.model.payload import Json
from workers.sandbox_child import Answer, Job, read_frame, write_frame

#: Bytes that a child may take beyond what it needs to be there at all.
MEMORY_LIMIT: Final = 256 * 1024 * 1024
#: Seconds for a child to start and import its interpreters; slow only on a machine in trouble.
_START_LIMIT: Final = 60.0
#: Seconds that a child gets beyond the time limit, to report by itself that the limit was reached.
_GRACE: Final = 0.5

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Answer).decode


class Sandbox:
    """A pool of children; safe to use from many threads, and in a process forked from one that has used it."""

    def __init__(self, size: int | None = None, memory_limit_bytes: int = MEMORY_LIMIT) -> None:
        self._size = size or max(2, os.cpu_count() or 2)
        self._memory_limit_bytes = memory_limit_bytes
        self._process = os.getpid()
        self._reset()

    def run(self, job: Job) -> Json:
        """Return what the job evaluates to.

        Raises ``ScriptLimitExceeded`` when it ran over its time or memory, ``BadExpression`` when it cannot be
        evaluated. Waits while all children are busy; that time does not count.
        """
        if self._process != os.getpid():
            # Children belong to the process that started them: their connection cannot be shared.
            self._process = os.getpid()
            self._reset()
        with self._free:
            child = self._take()
            try:
                answer = child.ask(job)
            except BaseException:
                child.kill()
                raise
            self._idle.append(child)
        if answer.limit:
            raise ScriptLimitExceeded(answer.limit)
        if answer.fault is not None:
            raise BadExpression(answer.fault)
        return answer.value

    def close(self) -> None:
        """Kill the children that are idle."""
        while self._idle:
            self._idle.pop().kill()

    def _reset(self) -> None:
        self._free = threading.BoundedSemaphore(self._size)
        self._idle: list[_Child] = []

    def _take(self) -> _Child:
        while True:
            try:
                child = self._idle.pop()
            except IndexError:
                return _Child(self._memory_limit_bytes)
            if child.is_alive():
                return child
            child.kill()


class _Child:
    """One child process and the connection to it."""

    def __init__(self, memory_limit_bytes: int) -> None:
        self._memory_limit_bytes = memory_limit_bytes
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "workers.sandbox_child", str(theirs.fileno()), str(memory_limit_bytes)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(path or str(os.getcwd()) for path in sys.path)},  # noqa: PTH109
            )
        self._await_start()

    def is_alive(self) -> bool:
        """Return whether the child can take a job."""
        return self._process.poll() is None

    def ask(self, job: Job) -> Answer:
        """Return the child's answer; raise ``ScriptLimitExceeded`` when none comes."""
        deadline = time.monotonic() + job.time_limit_seconds + _GRACE
        try:
            write_frame(self._socket, _encode(job), deadline)
            return _decode(read_frame(self._socket, deadline))
        except TimeoutError:
            raise ScriptLimitExceeded(
                f"Script not evaluated within {job.time_limit_seconds:g} seconds, interrupted."
            ) from None
        except (EOFError, OSError):
            raise ScriptLimitExceeded(
                f"The script used more than {self._memory_limit_bytes:,} bytes of memory, or broke its interpreter."
            ) from None

    def kill(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _await_start(self) -> None:
        try:
            read_frame(self._socket, time.monotonic() + _START_LIMIT)
        except (EOFError, OSError) as error:
            self.kill()
            raise RuntimeError(
                f"The process for scripts did not start ({error or 'it ended at once'}): "
                f"try {sys.executable} -m workers.sandbox_child"
            ) from None


#: The pool of this process.
SANDBOX: Final = Sandbox()


def run(kind: str, *arguments: Any, time_limit_seconds: float) -> Json:
    """Return what ``kind`` makes of ``arguments``, evaluated in a child; see ``Sandbox.run``."""
    return SANDBOX.run(Job(kind=kind, arguments=list(arguments), time_limit_seconds=time_limit_seconds))
