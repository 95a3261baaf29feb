"""Whatever the definition and whatever the order of news: runs end, joins wait, rows tell all, nothing counts twice."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from engine.decider.decide import Decision, decide
from engine.decider.execution import Execution
from engine.errors import BadDefinition
from engine.model.command import Cancel
from engine.model.event import Event, StartWorkflow
from engine.model.request import Request
from engine.model.status import TaskStatus
from engine.tasks import task_type
from tests.property.definitions import WORK, definitions
from tests.property.world import DERIVED, World, derived, restored, rows, statuses

pytestmark = pytest.mark.timeout(120)

#: What happens next is picked by numbers, so that a failing story shrinks.
stories = st.lists(st.integers(0, 10_000), max_size=60)

_STATUSES = (TaskStatus.COMPLETED,) * 6 + (TaskStatus.FAILED,) * 2 + (TaskStatus.IN_PROGRESS,)
_VERBS = ("retry", "pause", "resume", "retry", "terminate", "retry", "resume")
_SECONDS = (0.5, 3, 5, 31, 61, 3_700)

_settings = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Storyteller:
    """Drives a world through a story: late, doubled and disordered news, waiting, deciders that forget."""

    def __init__(self, definition: dict[str, Any], story: list[int], *, budget: int = 20_000) -> None:
        try:
            self.world = World(definition, [WORK], budget=budget)
        except BadDefinition:
            assume(False)
        self._story = story
        self._told: list[Event | StartWorkflow] = []

    def tell(self) -> None:
        self.world.start()
        self.look()
        for number in self._story:
            self._happen(number)
            self.look()

    def look(self) -> None:
        """Look at the world after each thing that has happened; overridden by what a property is about."""

    def decided(self, letter: Event | StartWorkflow) -> Decision | None:
        return self.world.deliver(letter)

    def _happen(self, number: int) -> None:
        world, (number, kind) = self.world, divmod(number, 10)
        if kind <= 3 and world.letters:
            self._deliver(world.letters.pop(number % len(world.letters)))
        elif kind <= 6 and world.at_work:
            task_id = world.at_work[number % len(world.at_work)]
            status = _STATUSES[number % len(_STATUSES)]
            if status is not TaskStatus.IN_PROGRESS:
                world.at_work.remove(task_id)
            self._deliver(world.answer(task_id, status))
        elif kind == 7 and self._told:
            self._deliver(self._told[number % len(self._told)])
        elif kind == 8:
            world.reload(sorted(world.runs)[number % len(world.runs)])
        elif kind == 9 and number % 3:
            identity = sorted(world.runs)[number % len(world.runs)]
            self._deliver(world.request(identity, _VERBS[number % len(_VERBS)]))
        else:
            world.advance(_SECONDS[number % len(_SECONDS)])
            for wake in world.wakes():
                self._deliver(wake)

    def _deliver(self, letter: Event | StartWorkflow) -> None:
        self._told.append(letter)
        self.decided(letter)


@_settings
@given(definitions(), stories)
def test_every_run_ends(definition, story):
    teller = Storyteller(definition, story)
    teller.tell()
    teller.world.run_to_its_end()
    for run in teller.world.runs.values():
        assert not run.workflow.status.is_open, statuses(run)
        assert all(task.status.is_terminal for task in rows(run)), statuses(run)


@_settings
@given(definitions(), stories)
def test_every_run_ends_in_small_steps_too(definition, story):
    teller = Storyteller(definition, story, budget=3)
    teller.tell()
    teller.world.run_to_its_end()
    assert not teller.world.root.workflow.status.is_open


@_settings
@given(definitions(), stories)
def test_a_step_budget_changes_nothing_but_the_pace(definition, story):
    quick, slow = World(definition, [WORK]), World(definition, [WORK], budget=1)
    for world in (quick, slow):
        world.start()
        world.run_to_its_end()
    assert quick.root.workflow.status == slow.root.workflow.status
    assert statuses(quick.root) == statuses(slow.root)


class _Unique(Storyteller):
    def look(self) -> None:
        for run in self.world.runs.values():
            seen = [(task.ref, task.attempt) for task in rows(run)]
            assert len(seen) == len(set(seen)), seen
            assert [task.seq for task in rows(run)] == list(range(1, len(run.tasks) + 1))


@_settings
@given(definitions(), stories)
def test_no_reference_is_scheduled_twice_in_one_attempt(definition, story):
    _Unique(definition, story).tell()


class _Joins(Storyteller):
    def look(self) -> None:
        for run in self.world.runs.values():
            for task in rows(run):
                if task.type == "JOIN" and task.status.is_successful:
                    self._check(run, task)

    def _check(self, run: Execution, join: Any) -> None:
        suffix = join.ref.removeprefix(run.plans[join.seq].step.task_reference_name)
        for ref in task_type("JOIN").awaits(run.plans[join.seq].step, join):
            seq = run.latest.get(ref + suffix)
            if seq is not None:
                assert run.tasks[seq].executed, f"{join.ref} did not wait for {ref + suffix}: {statuses(run)}"


@_settings
@given(definitions(), stories)
def test_a_join_never_ends_before_what_it_waits_for(definition, story):
    _Joins(definition, story).tell()


class _Again(Storyteller):
    """Delivers everything a second time at once."""

    def decided(self, letter: Event | StartWorkflow) -> Decision | None:
        first = super().decided(letter)
        if first is None or isinstance(letter, StartWorkflow | Request) or first.draft.unfinished:
            return first
        if getattr(letter, "heartbeat", False):
            return first
        run = self.world.runs[letter.workflow_id]
        again = decide(run, [letter], self.world.now, self.world.surroundings)
        assert again.is_empty, (letter, again.inserted, again.updated)
        commanded = [each for each in again.commands.get(letter.event_id, ()) if not isinstance(each, Cancel)]
        assert not commanded, "only a child that nobody wants any more may be told so again"
        return first


@_settings
@given(definitions(), stories)
def test_deciding_the_same_news_again_changes_nothing(definition, story):
    _Again(definition, story).tell()


class _Restored(Storyteller):
    def look(self) -> None:
        for run in self.world.runs.values():
            if run.workflow.status.is_open:
                inside, outside = derived(run), derived(restored(run))
                for name in DERIVED:
                    note(f"{name}: {inside[name]} / {outside[name]}") if inside[name] != outside[name] else None
                    assert inside[name] == outside[name], name


@_settings
@given(definitions(), stories)
def test_a_run_read_from_its_rows_is_the_run_in_memory(definition, story):
    _Restored(definition, story).tell()


class _Pure(Storyteller):
    def decided(self, letter: Event | StartWorkflow) -> Decision | None:
        run = self.world.runs.get(letter.workflow_id)
        if run is None or isinstance(letter, StartWorkflow):
            return super().decided(letter)
        before = copy.deepcopy((derived(run), run.workflow, run.fresh))
        one, two = (decide(run, [letter], self.world.now, self.world.surroundings) for _ in range(2))
        assert (derived(run), run.workflow, run.fresh) == before
        assert (one.workflow, one.inserted, one.updated, one.commands) == (
            two.workflow,
            two.inserted,
            two.updated,
            two.commands,
        )
        return self.world.settle(run, one)


@_settings
@given(definitions(), stories)
def test_a_decision_leaves_the_run_it_was_made_on_alone_and_is_made_the_same_twice(definition, story):
    _Pure(definition, story).tell()
