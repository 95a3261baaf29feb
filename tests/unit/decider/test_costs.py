"""What a step costs, counted and not timed: function calls and bytes, which are the same on every machine."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

from engine.clock import Instant
from engine.decider.decide import Decision, begin, decide, new_run
from engine.decider.draft import Surroundings
from engine.decider.execution import Execution, restore
from engine.decider.validate import check_workflow
from engine.model.definition import WorkflowDef
from engine.model.event import StartWorkflow, TaskResult, Wake
from engine.model.status import TaskStatus

#: Python functions called for a result that brings the next task of a chain. It is what it takes, plus a few: who needs
#: more than that shall know, and look into ``docs/performance.md`` for what else could go.
MOST_CALLS = 132

#: Bytes of a decider's memory for a branch of a wide fork that is open. Some 360 of them are data of the run: the
#: element, the branch's reference name, the task's input. It differs by some tens from one Python to another.
MOST_BYTES = 1_100

#: Bytes of these for what follows from the branch's row: what a decider has beside the row, however it came by it.
MOST_DERIVED_BYTES = 420

NOW = Instant(1_000_000)
AROUND = Surroundings()


def chain(length: int) -> WorkflowDef:
    """A chain in which each task reads the output of the one before, and the run's input."""
    steps: list[dict[str, object]] = [{"name": "first", "taskReferenceName": "t0"}]
    for number in range(1, length):
        inputs = {"before": f"${{t{number - 1}.output.n}}", "who": "${workflow.input.who}"}
        steps.append({"name": "next", "taskReferenceName": f"t{number}", "inputParameters": inputs})
    return check_workflow({"name": f"chain_{length}", "tasks": steps})


def run_before(definition: WorkflowDef, seq: int) -> Execution:
    """A run in which the results of all tasks before this one have come."""
    start = StartWorkflow(event_id="start", workflow_id="run", name=definition.name, input={"who": "Ada"})
    run = new_run(start, definition, "hash", NOW)
    fold(begin(run, start, NOW, AROUND))
    for number in range(1, seq):
        fold(decide(run, [result(number)], NOW, AROUND))
    return run


def fold(decision: Decision) -> None:
    decision.draft.fold(decision.workflow)


def result(seq: int) -> TaskResult:
    done = TaskStatus.COMPLETED
    return TaskResult(event_id=f"result {seq}", workflow_id="run", seq=seq, status=done, output={"n": seq}, worker="w")


def calls_of_a_step(length: int) -> int:
    """Return how many functions are called to decide what follows from a result in the middle of a chain."""
    definition, middle = chain(length), length // 2
    # What is worked out once for a definition is worked out before anything is counted.
    run_before(definition, middle + 1)
    run = run_before(definition, middle)
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    news, before = [result(middle)], sys.getprofile()
    sys.setprofile(count)
    try:
        decision = decide(run, news, NOW, AROUND)
        decision.draft.fold(decision.workflow)
    finally:
        sys.setprofile(before)
    assert [task.ref for task in decision.inserted] == [f"t{middle}"]
    return calls


def test_a_step_of_a_chain_takes_so_many_calls_and_no_more() -> None:
    assert 0 < calls_of_a_step(10) <= MOST_CALLS


def test_a_step_takes_as_many_calls_in_a_run_of_a_thousand_tasks_as_in_one_of_ten() -> None:
    assert calls_of_a_step(1_000) == calls_of_a_step(10)


def opened_fork(branches: int, around: Surroundings = AROUND) -> Execution:
    """A run that waits for all branches of a dynamic fork, of one task each."""
    inputs = {"forkTaskName": "same", "forkTaskInputs": "${workflow.input.elements}"}
    fork = {"name": "f", "taskReferenceName": "fork", "type": "FORK_JOIN_DYNAMIC", "inputParameters": inputs}
    join = {"name": "j", "taskReferenceName": "j", "type": "JOIN"}
    definition = check_workflow({"name": "wide", "tasks": [fork, join]})
    given = {"elements": [{} for _ in range(branches)]}
    start = StartWorkflow(event_id="start", workflow_id="run", name="wide", input=given)
    run = new_run(start, definition, "hash", NOW)
    decision = begin(run, start, NOW, around)
    fold(decision)
    while decision.draft.unfinished:
        decision = decide(run, [Wake(event_id="go on", workflow_id="run")], NOW, around)
        assert decision.draft.base is run, "what follows from the rows was derived anew"
        fold(decision)
    return run


def traced_bytes(make: Callable[[], Execution], branches: int) -> float:
    """Return the bytes for each branch that are held by what is made here."""
    gc.collect()
    tracemalloc.start()
    try:
        run = make()
        gc.collect()
        assert len(run.open) == branches + 1
        return tracemalloc.get_traced_memory()[0] / branches
    finally:
        tracemalloc.stop()


def test_an_open_branch_takes_so_many_bytes_and_no_more() -> None:
    opened_fork(10)
    assert traced_bytes(lambda: opened_fork(2_000), 2_000) <= MOST_BYTES


def test_a_fork_that_is_opened_in_parts_is_the_one_that_is_opened_at_once() -> None:
    in_parts, at_once = opened_fork(100, Surroundings(step_budget=7)), opened_fork(100)
    assert [in_parts.tasks[seq] for seq in in_parts.tasks] == [at_once.tasks[seq] for seq in at_once.tasks]
    assert in_parts.lists == at_once.lists
    assert in_parts.waiters == at_once.waiters


def test_what_follows_from_the_row_of_an_open_branch_takes_so_many_bytes_and_no_more() -> None:
    run = opened_fork(2_000)
    rows = [run.tasks[seq] for seq in sorted(run.tasks)]
    assert traced_bytes(lambda: restore(run.workflow, rows, run.definition), 2_000) <= MOST_DERIVED_BYTES
