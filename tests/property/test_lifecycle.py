"""Whatever operators have done over, skipped or jumped to: runs end, and the memory is what the rows say."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.model.definition import walk
from engine.model.execution import Task
from engine.model.request import Request
from tests.property.definitions import definitions
from tests.property.test_runs import Storyteller
from tests.property.world import DERIVED, derived, restored, rows, statuses

pytestmark = pytest.mark.timeout(120)

#: A verb, and which of a run's steps or tasks it is about; a run that is open is ended first where it must be.
operations = st.lists(
    st.tuples(
        st.sampled_from(["restart", "rerun", "rerun", "rerun", "jump", "jump", "skip_task", "decide", "retry"]),
        st.integers(0, 1_000),
        st.lists(st.integers(0, 10_000), max_size=15),
    ),
    min_size=1,
    max_size=5,
)

_settings = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
_OF_ENDED = frozenset({"restart", "rerun", "retry"})


class _Operator(Storyteller):
    """Lets things happen, asks for something, lets things happen again."""

    def operate(self, verb: str, number: int, story: list[int]) -> None:
        world = self.world
        identity = sorted(world.runs)[number % len(world.runs)]
        run = world.runs[identity]
        if verb in _OF_ENDED and run.workflow.status.is_open:
            self._deliver(world.request(identity, "terminate"))
        elif verb not in _OF_ENDED and not run.workflow.status.is_open:
            self._deliver(world.request(identity, "restart"))
        self._deliver(self._request(identity, verb, number))
        self.look()
        self._story = story
        for each in story:
            self._happen(each)
            self.look()

    def _request(self, identity: str, verb: str, number: int) -> Request:
        world = self.world
        request = world.request(identity, verb)
        run = world.runs[identity]
        known = [*rows(run)]
        task: Task | None = known[number % len(known)] if known else None
        every = [step.task_reference_name for _, step in walk(run.definition.tasks)]
        to_come = [ref for ref in every if ref not in run.latest] if verb == "skip_task" else []
        refs = to_come or [*every, *run.latest]
        arguments = {"ref": refs[number % len(refs)]}
        if verb == "rerun":
            arguments = {} if task is None else {"reRunFromTaskId": task.id}
        return Request(event_id=request.event_id, workflow_id=identity, verb=verb, arguments=arguments)

    def look(self) -> None:
        for run in self.world.runs.values():
            if not run.workflow.status.is_open:
                continue
            inside, outside = derived(run), derived(restored(run))
            for name in DERIVED:
                assert inside[name] == outside[name], name


@_settings
@given(definitions(), st.lists(st.integers(0, 10_000), max_size=40), operations)
def test_whatever_is_done_over_the_run_ends_and_the_memory_is_what_the_rows_say(definition, story, asked):
    teller = _Operator(definition, story)
    teller.tell()
    for verb, number, then in asked:
        teller.operate(verb, number, then)
    teller.world.run_to_its_end()
    for run in teller.world.runs.values():
        if not run.workflow.status.is_open:
            assert all(task.status.is_terminal for task in rows(run)), statuses(run)
