"""The mutations fit the source as it is; `make mutations` tries whether each is noticed."""

from __future__ import annotations

import pytest

from engine.operations import operations
from engine.tasks import task_types
from tests.simulation.mutations.__main__ import table
from tests.simulation.mutations.catalogue import MUTATIONS
from tests.simulation.mutations.mutation import Mutation, Stale, mutation
from tests.simulation.mutations.trial import Catch

#: Operations whose work is done, and broken, in the desk.
ELSEWHERE = {
    "engine/operations/take_again.py": "a worker that is handed a task once more is not counted",
    "engine/operations/upgrade.py": "an upgrade is granted and the run goes by its old version",
}


@pytest.mark.parametrize("each", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_changes_the_source_and_leaves_it_readable(each: Mutation):
    for file, text in each.mutated().items():
        compile(text, file, "exec")


def test_every_type_and_every_operation_is_broken_by_some_mutation():
    places = {edit.file for each in MUTATIONS for edit in each.edits}
    types = {type(each).__module__.replace(".", "/") + ".py" for each in task_types().values()}
    verbs = {f"engine/operations/{verb}.py" for verb in operations()} - set(ELSEWHERE)
    assert types | verbs <= places
    assert set(ELSEWHERE.values()) <= {each.name for each in MUTATIONS}


def test_no_two_mutations_are_the_same():
    assert len({each.name for each in MUTATIONS}) == len({each.edits for each in MUTATIONS}) == len(MUTATIONS)


def test_a_mutation_whose_text_has_gone_says_so():
    with pytest.raises(Stale, match=r"'gone'.*0 times and not once"):
        mutation("gone", "engine/executor.py", "no such text", "").mutated()


def test_a_survivor_stands_out_in_the_table():
    shown = table([(MUTATIONS[0], Catch(told=600)), (MUTATIONS[1], Catch(5, 4, "I1: acked", "…"))])
    assert "**nothing: it survives**" in shown
    assert f"| {MUTATIONS[1].name} | `{MUTATIONS[1].place}` | I1: acked | 4 | 5 |" in shown
