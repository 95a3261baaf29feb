"""The workflow that is being written: which list of steps is open, and which references are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeAlias

from engine.dsl.errors import DuplicateReference, Line, Misplaced, UnknownReference, calling_line
from engine.expression.template import is_variable, references
from engine.model.payload import Json

if TYPE_CHECKING:
    from engine.dsl.step import Step
    from engine.dsl.task import Task
    from engine.dsl.workflow import Workflow

    Used: TypeAlias = Task | Workflow

_ROOTS: Final = frozenset({"workflow", "CPEWF_TASK_ID"})

_current: Final[ContextVar[Trace | None]] = ContextVar("workflow being written", default=None)


class Trace:
    """What a function decorated with ``workflow`` has written so far."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._open = self.steps
        self._closed_to_steps: str | None = None
        self._lines: dict[str, Line] = {}
        #: The tasks and workflows that steps run, in the order of their first use.
        self.used: dict[Used, None] = {}
        self._loops = 0
        #: References inside loops, where a step may look at one behind it: at what that did in the round before.
        self._later: list[tuple[str, str, Line]] = []

    @classmethod
    def current(cls) -> Trace:
        """Return the workflow that is being written."""
        trace = _current.get()
        if trace is None:
            raise Misplaced("a step is written inside a function decorated with @workflow")
        return trace

    def use(self, what: Used) -> None:
        """Note a task or workflow that a step runs."""
        self.used[what] = None

    @contextmanager
    def being_written(self) -> Iterator[None]:
        """Let steps go into this workflow."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
        for root, text, line in self._later:
            self._check(root, text, line)

    @contextmanager
    def inside(self, steps: list[Step], *, loop: bool = False) -> Iterator[None]:
        """Let steps go into a list of a step: a branch, a case, the body of a loop."""
        before, closed, self._open, self._closed_to_steps = self._open, self._closed_to_steps, steps, None
        self._loops += loop
        try:
            yield
        finally:
            self._open, self._closed_to_steps = before, closed
            self._loops -= loop

    @contextmanager
    def between(self, what: str) -> Iterator[None]:
        """Let no step go anywhere: what is written here are branches or cases."""
        before, self._closed_to_steps = self._closed_to_steps, what
        try:
            yield
        finally:
            self._closed_to_steps = before

    def add(self, step: Step) -> None:
        """Put a step behind the last one; raises where its reference is taken or one that it reads is unknown."""
        if self._closed_to_steps is not None:
            raise Misplaced(f"{step.ref!r} stands {self._closed_to_steps}", step.line)
        self.claim(step)
        self.look_at(step.values(), ahead=step.looks_ahead)
        self._open.append(step)

    def claim(self, step: Step) -> None:
        """Take a step's reference name; from here on others may read it."""
        taken = self._lines.setdefault(step.ref, step.line)
        if taken is not step.line:
            raise DuplicateReference(f"{step.ref!r} is already the reference name of the step in {taken}", step.line)

    def look_at(self, value: Json, *, ahead: bool = False) -> None:
        """Check the references in a value; ``ahead`` allows those of steps that are still to be written."""
        for reference in references(value):
            if reference.root is not None and reference.fault is None and not is_variable(reference.text):
                self._check(reference.root, reference.text, calling_line(), may_come=ahead or self._loops > 0)

    def _check(self, root: str, text: str, line: Line, *, may_come: bool = False) -> None:
        if root in _ROOTS or root in self._lines:
            return
        if may_come:
            self._later.append((root, text, line))
            return
        near = get_close_matches(root, self._lines, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownReference(f"${{{text}}}: no step before this one is called {root!r}{hint}", line)
