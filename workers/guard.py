"""What stands between Celery and a task's function while it works for the engine, so that every end is reported."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import structlog
from celery import Task, states

from workers.failure import TaskFailure, TerminalError
from workers.redelivery import begun_again, is_redelivered
from workers.reply import is_engines

_log = structlog.get_logger(__name__)

#: Seconds after which a running task is reported as STARTED; short tasks must not pay for a message they outrun.
STARTED_AFTER: Final = 0.25

#: Inputs that nobody wrote: the engine adds them (dynamic forks, to each branch), and few functions want them.
_ADDED: Final = frozenset({"__index"})

#: Where Celery's handlers of signals stand. Its pool also replaces ``sys.exit``, so the innermost frame tells nothing.
_SIGNAL_HANDLERS: Final = frozenset({"billiard.common", "celery.apps.worker"})


class SignOfLife:
    """Reports tasks that have run for a while as STARTED, from one thread of its own for the whole process."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, Task, Any]] = {}
        self._busy = threading.Event()
        self._process = 0

    def begin(self, task: Task, request: Any) -> int:
        """Watch a task from now on; return the key for ``end``. A redelivered one is reported at once."""
        key = id(request)
        if is_redelivered(request):
            _report(task, request)
            return key
        if self._process != os.getpid():
            self._start()
        self._running[key] = (time.monotonic() + STARTED_AFTER, task, request)
        self._busy.set()
        return key

    def end(self, key: int) -> None:
        """Stop watching."""
        self._running.pop(key, None)

    def _start(self) -> None:
        """Start the thread; in a forked child the parent's thread, and what it watched, do not exist."""
        self._process = os.getpid()
        self._running = {}
        self._busy = threading.Event()
        threading.Thread(target=self._watch, name="sign-of-life", daemon=True).start()

    def _watch(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(STARTED_AFTER / 2)
            now = time.monotonic()
            for key, (due, task, request) in tuple(self._running.items()):
                if due <= now and key in self._running:
                    self.end(key)
                    _report(task, request)
            if not self._running:
                self._busy.clear()
                # A task may have begun between the look and the clearing.
                if self._running:
                    self._busy.set()


SIGN_OF_LIFE: Final = SignOfLife()


def guarded(task: Task, run: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``run`` as the engine's tasks need it; whoever else calls the task gets ``run`` itself.

    Inputs that the function does not take are dropped (logged once); one that it needs and did not get is a
    ``TerminalError``. ``sys.exit()`` and MemoryError, after which Celery sends nothing and runs the task again for
    ever, become ordinary failures.
    """
    accepted, required = _parameters(run)
    told: set[str] = set()

    def run_guarded(*args: Any, **inputs: Any) -> Any:
        request = task.request
        if request.called_directly or not is_engines(request):
            return run(*args, **inputs)
        if accepted is not None:
            inputs = _fitting(task, inputs, accepted, told)
        if not args and (missing := sorted(required - inputs.keys())):
            raise TerminalError(f"The task {task.name} needs the input {', '.join(missing)}, which it was not given")
        with _watched(task, request):
            return run(*args, **inputs)

    return run_guarded


@contextmanager
def _watched(task: Task, request: Any) -> Iterator[None]:
    """Have the engine hear that the task runs, and see to it that leaving the process is an ordinary failure."""
    with begun_again(task, request) if is_redelivered(request) else nullcontext(False) as known:
        watched = None if known else SIGN_OF_LIFE.begin(task, request)
        try:
            yield
        except SystemExit as leaving:
            if _from_celery(leaving):
                raise
            raise TaskFailure(f"The task called sys.exit({leaving.code!r})") from leaving
        except MemoryError as lack:
            raise TaskFailure(f"The task ran out of memory: MemoryError: {lack}") from lack
        finally:
            if watched is not None:
                SIGN_OF_LIFE.end(watched)


def guarded_class(task: Task) -> type[Task]:
    """Return the task's class, callable with an input called ``self``, which Python would take for the task.

    Celery's worker calls the task object, not its function. For the engine's tasks such an input is dropped.
    """
    base = type(task)

    def call(this: Task, /, *args: Any, **inputs: Any) -> Any:
        if "self" in inputs and is_engines(this.request):
            del inputs["self"]
            _log.debug("task.inputs_dropped", task=this.name, inputs=["self"])
        return base.__call__(this, *args, **inputs)

    return type(base.__name__, (base,), {"__call__": call, "__module__": base.__module__, "__doc__": base.__doc__})


def _parameters(run: Callable[..., Any]) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Return the inputs that a function takes (None: any) and those that it needs."""
    try:
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return None, frozenset()
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = frozenset(p.name for p in by_name if p.default is p.empty)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None, required
    return frozenset(p.name for p in by_name), required


def _fitting(task: Task, inputs: Mapping[str, Any], accepted: frozenset[str], told: set[str]) -> dict[str, Any]:
    """Return the inputs that the function takes."""
    strange = inputs.keys() - accepted - _ADDED
    if strange - told:
        told |= strange
        _log.warning("task.inputs_dropped", task=task.name, inputs=sorted(strange))
    return {name: value for name, value in inputs.items() if name in accepted}


def _from_celery(leaving: SystemExit) -> bool:
    """Tell the exit of a worker that is told to stop (raised by a signal handler) from a task's own."""
    trace = leaving.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") in _SIGNAL_HANDLERS:
            return True
        trace = trace.tb_next
    return False


def _report(task: Task, request: Any) -> None:
    try:
        task.backend.store_result(
            request.id, {"pid": os.getpid(), "hostname": request.hostname}, states.STARTED, request=request
        )
    except Exception:
        # The engine then learns of the task when it ends; a lost sign of life must not cost the task.
        _log.warning("task.sign_of_life_lost", task=task.name, task_id=request.id, exc_info=True)
