"""What tasks answer in a rehearsal, by reference name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from engine.errors import BadMessage
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus
from engine.wire.conductor import REPORTABLE
from engine.wire.fields import Fields


class Answer(Struct, frozen=True, kw_only=True):
    """How one attempt of a task ends, and after how many seconds of simulated time."""

    status: TaskStatus = TaskStatus.COMPLETED
    output: JsonObject = {}
    reason: str | None = None
    after_seconds: float = 0.0


def failed(reason: str, output: JsonObject | None = None, *, for_good: bool = False) -> Answer:
    """Return a failed attempt; ``for_good`` means that no further one is made."""
    status = TaskStatus.FAILED_WITH_TERMINAL_ERROR if for_good else TaskStatus.FAILED
    return Answer(status=status, reason=reason, output=output or {})


#: An attempt's answer: whole, as an output, or as a function of the input; a function that raises fails the attempt.
Attempt: TypeAlias = Answer | Mapping[str, Json] | Callable[[dict[str, Json]], Json]

#: By reference name; ``child/ref`` is a task of the sub-workflow that the step ``child`` runs. One attempt stands for
#: all of them, a list for one after the other: attempts, and iterations of loops.
Mocks: TypeAlias = Mapping[str, Attempt | Sequence[Attempt]]


#: What a mock in a list may say.
_ANSWER_FIELDS: Final = frozenset({"status", "output", "reasonForIncompletion", "queueWaitTime", "executionTime"})


class Script:
    """Mocks while they are used up."""

    def __init__(self, mocks: Mocks) -> None:
        self._always: dict[str, Attempt] = {}
        self._left: dict[str, Iterator[Attempt]] = {}
        for ref, mock in mocks.items():
            if isinstance(mock, Sequence):
                self._left[ref] = iter(mock)
            else:
                self._always[ref] = mock

    def __contains__(self, ref: object) -> bool:
        return ref in self._always or ref in self._left

    def next(self, ref: str, given: JsonObject) -> Answer | None:
        """Return the next answer of the task with this reference; None when none is left."""
        attempt = self._always.get(ref)
        if attempt is None:
            attempt = next(self._left.get(ref, iter(())), None)
        return None if attempt is None else _answer(attempt, given)


def _answer(attempt: Attempt, given: JsonObject) -> Answer:
    if isinstance(attempt, Answer):
        return attempt
    if isinstance(attempt, Mapping):
        return Answer(output=dict(attempt))
    try:
        output = attempt(dict(given))
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}")
    return Answer(output=dict(output) if isinstance(output, Mapping) else {"result": output})


def read_script(document: Json, subject: str) -> dict[str, Attempt | list[Attempt]]:
    """Read mocks as people write them: an object is every attempt's output, a list has one mock for each attempt.

    A mock in a list is an object with ``status``, ``output``, ``reasonForIncompletion``, ``queueWaitTime`` and
    ``executionTime``, all of them optional. Raises ``BadMessage``.
    """
    if not isinstance(document, Mapping):
        raise BadMessage(f'{subject} must be a JSON object: {{"reference name": [{{"output": {{…}}}}]}}.')
    read: dict[str, Attempt | list[Attempt]] = {}
    for ref, mock in document.items():
        if isinstance(mock, list):
            read[ref] = [_read_answer(each, f"{subject}: mock of {ref}") for each in mock]
        elif isinstance(mock, Mapping):
            read[ref] = dict(mock)
        else:
            raise BadMessage(f"{subject}: the mock of {ref} must be an output {{…}} or a list of mocks.")
    return read


def read_mocks(document: Json, subject: str = "test request") -> dict[str, Attempt | list[Attempt]]:
    """Read ``taskRefToMockOutput`` and ``subWorkflowTestRequest`` (Conductor 4.19); raises ``BadMessage``."""
    return dict(_mocks(document, subject, ""))


def _mocks(document: Json, subject: str, above: str) -> Iterator[tuple[str, Attempt | list[Attempt]]]:
    fields = Fields(document, subject)
    for ref, attempts in fields.mapping("taskRefToMockOutput").items():
        if not isinstance(attempts, list):
            fields.fault(f"taskRefToMockOutput.{ref}", "must be a list with a mock for each attempt")
            continue
        yield above + ref, [_read_answer(each, f"{subject}: mock of {ref}") for each in attempts]
    children = fields.mapping("subWorkflowTestRequest")
    fields.finish()
    for ref, child in children.items():
        yield from _mocks(child, f"{subject} of {ref}", f"{above}{ref}/")


def _read_answer(document: Json, subject: str) -> Answer:
    fields = Fields(document, subject)
    if isinstance(document, Mapping) and document and not document.keys() & _ANSWER_FIELDS:
        first = next(iter(document))
        fields.fault(first, f'is no field of a mock in a list; an output is written {{"output": {{"{first}": …}}}}')
    status = fields.one_of("status", [each.value for each in REPORTABLE])
    output = fields.mapping("output")
    waited, worked = fields.integer("queueWaitTime", 0) or 0, fields.integer("executionTime", 0) or 0
    reason = fields.text("reasonForIncompletion")
    fields.finish()
    return Answer(
        status=TaskStatus(status or "COMPLETED"), output=output, reason=reason, after_seconds=(waited + worked) / 1_000
    )
