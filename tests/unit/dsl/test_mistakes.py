"""Mistakes in workflows that are written as functions, told at their own line."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from engine.dsl import (
    BadWorkflow,
    DefinitionWarning,
    DuplicateReference,
    Misplaced,
    Task,
    UnknownReference,
    Value,
    do_while,
    exclusive_join,
    expression,
    fork,
    step,
    switch,
    workflow,
)

pack, ship = Task("pack"), Task("ship", retry_count=1)


def here() -> int:
    return sys._getframe(1).f_lineno


@pytest.mark.parametrize(
    "use",
    [lambda value: value == 1, lambda value: bool(value), lambda value: list(value), lambda value: value != 1],
    ids=["equal", "condition", "loop", "unequal"],
)
def test_values_are_not_known_in_python(use):
    with pytest.raises(BadWorkflow, match="known only when the workflow runs"):
        use(Value("a.output.total"))


def test_an_unknown_reference_is_told_at_its_line_with_the_nearest_one():
    with pytest.raises(UnknownReference, match="did you mean 'price'") as told:

        @workflow()
        def flow() -> None:
            Task("price")()
            told_line.append(here() + 1)
            pack(total=expression("prise.output.total"))

    assert (told.value.line.file, told.value.line.number) == (__file__, told_line[0])


told_line: list[int] = []


def test_an_output_of_another_workflow_is_unknown_here():
    kept: list[Any] = []

    @workflow()
    def one() -> None:
        kept.append(pack("a"))

    with pytest.raises(UnknownReference):

        @workflow()
        def other() -> None:
            ship(box=kept[0].output.box)


def test_a_reference_that_is_taken_names_both_lines():
    with pytest.raises(DuplicateReference, match=r"test_mistakes.py:\d+: 'pack' is already .*test_mistakes.py:\d+"):

        @workflow()
        def flow() -> None:
            pack()
            pack()


def test_outputs_are_checked_too():
    with pytest.raises(UnknownReference, match="nobody"):

        @workflow()
        def flow() -> dict[str, Any]:
            pack()
            return {"x": [expression("nobody.output")]}


def test_a_step_belongs_into_a_workflow_a_branch_and_a_case():
    with pytest.raises(Misplaced, match="@workflow"):
        pack()
    with pytest.raises(Misplaced, match="in no branch of 'f'"):

        @workflow()
        def forked() -> None:
            with fork("f"):
                pack()

    with pytest.raises(Misplaced, match="in no case of 's'"):

        @workflow()
        def chosen(way: Value) -> None:
            with switch("s", way=way):
                pack()


def test_what_the_engine_refuses_is_told_at_the_line_of_the_step():
    lines: list[int] = []
    with pytest.raises(BadWorkflow, match="not valid JavaScript") as told:

        @workflow()
        def flow(a: Value) -> None:
            with fork("f") as f, f.branch():
                lines.append(here() + 1)
                with switch("s", "1 +", a=a) as s, s.case("x"):
                    pack()

    assert told.value.line.number == lines[0]


def test_what_the_engine_doubts_is_a_warning_at_the_line_of_the_step():
    with pytest.warns(DefinitionWarning, match="HTPP.*did you mean 'HTTP'") as told:

        @workflow()
        def flow() -> None:
            with do_while("l", "false"):
                step("HTPP", "ask")

    assert told[0].filename == __file__


@pytest.mark.parametrize(
    "body",
    [
        lambda: switch("s", a=1, b=2),
        lambda: fork("f").__enter__().__exit__(None, None, None),
        lambda: do_while("l", "true"),
        lambda: do_while("l", "true").__enter__().__exit__(None, None, None),
        lambda: exclusive_join("e"),
        lambda: pack(box=pack("other")),
        lambda: pack(box=object()),
        lambda: pack().output,
    ],
    ids=[
        "two values",
        "no branch",
        "no block",
        "no body",
        "nothing to choose",
        "a step as value",
        "no JSON",
        "no dict",
    ],
)
def test_what_cannot_be_written_is_refused(body):
    with pytest.raises(BadWorkflow):
        workflow("flow")(body)


def test_a_task_definition_that_cannot_be_is_told_at_its_line():
    with pytest.raises(BadWorkflow, match="responseTimeoutSeconds") as told:
        Task("t", timeout_seconds=5, response_timeout_seconds=6)

    assert told.value.line.file == __file__


def test_parameters_without_a_name_are_refused():
    with pytest.raises(BadWorkflow, match="no name to be an input"):

        @workflow()
        def flow(*rest: Value) -> None:
            pack()
