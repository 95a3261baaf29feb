"""What loops gather: weighed once, written when the loop ends, and told by the rows of the iterations until then."""

from __future__ import annotations

import random
from collections.abc import ValuesView

import pytest
from msgspec.structs import replace

from engine.api.shown import description
from engine.config import Settings
from engine.expression.budget import weigh
from engine.model.execution import Task
from engine.model.payload import Json, JsonObject
from engine.search.grammar import read_query
from engine.search.subject import TASKS
from engine.store.search_port import Query
from engine.tasks.gathered import Gathered, weight_of
from engine.testing.harness import Harness
from tests.unit.decider.rows import assert_remembered_as_stored
from tests.unit.decider.steps import Flaky, echo, fails, fork, inputs, loop, run_of, step, switch

LIMIT = 1_000_000


class Looked(dict[str, Json]):
    """An iteration's output that counts how often it was looked into."""

    times = 0

    def values(self) -> ValuesView[Json]:
        Looked.times += 1
        return super().values()


def test_an_iteration_has_only_its_own_output_weighed():
    output, Looked.times = Gathered({}, {}), 0
    for number in range(1, 101):
        output = output.with_part(number, Looked(body={"n": number}), 0, LIMIT).put({"iteration": number})
        assert weight_of(output, LIMIT) == weigh(output, LIMIT)
    # Once by what is gathered, and by the whole weighing that it was compared with, which looks at all every time.
    assert Looked.times == 100 + sum(range(1, 101))


def test_what_is_replaced_or_not_kept_weighs_nothing_any_more():
    chance = random.Random(7)
    output = Gathered({"iteration": 1, "2": {"b": {}}}, {"iteration": 1})
    for _ in range(500):
        number, keep = chance.randrange(40), chance.choice([0, 1, 5])
        part = {"b": ["x" * chance.randrange(50), {"n": number}]}
        output = output.with_part(number, part, keep, LIMIT).put({"iteration": number, "loopItem": "y" * number})
        assert weight_of(output, LIMIT) == weigh(output, LIMIT)
        assert not keep or str(number - keep) not in output


def test_an_output_that_grows_beyond_the_limit_is_seen_at_once():
    output = Gathered({}, {}).with_part(1, {"b": "x" * 40}, 0, 100)
    assert weight_of(output, 100) <= 100
    assert weight_of(output.with_part(2, {"b": "x" * 40}, 0, 100), 100) > 100


def test_one_more_part_changes_nothing_of_what_was_there():
    before = Gathered({}, {}).with_part(1, {"b": 1}, 0, LIMIT).put({"iteration": 2, "loopItem": "x"})
    before.with_part(2, {"b": 2}, 1, LIMIT).put({"iteration": 3})
    assert before == {"1": {"b": 1}, "iteration": 2, "loopItem": "x"}


def row_of(harness: Harness, run: str, ref: str = "l") -> Task:
    """Return what the store itself holds of the last task of that name."""
    rows = harness.store._tables.tasks[run].values()
    return next(each for each in reversed(rows) if each.ref == ref)


def seen(harness: Harness, run: str, seq: int) -> list[JsonObject]:
    """Return a task's output in every way in which people come to see it."""
    with harness.store.transaction() as tx:
        page = tx.task_page(run, (), 0, 1_000)[1]
        found = tx.search_tasks(Query(condition=read_query(f"workflowId = {run}", TASKS), size=1_000)).tasks
        every = (tx.load([run])[run].tasks, tx.tasks_by_seq(run, [seq]), page, found)
        return [task.output for tasks in every for task in tasks if task.seq == seq]


BODIES = {
    "tasks": [step("a"), step("b", optional=True)],
    "containers": [*fork("f", [step("a")], [switch("s", {"x": [step("b")]})]), step("n", "NOOP")],
    "a loop": [loop("i", "$.i.iteration < 2", step("a"), step("b"))],
    "a dynamic fork of loops": [
        step("f", "FORK_JOIN_DYNAMIC", dynamicForkTasksParam="tasks", dynamicForkTasksInputParamName="inputs",
             **inputs(tasks=[loop("i", "$.i.iteration < 2", step("a"))], inputs={"i": {}})),
        step("j", "JOIN"), step("b"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("keep", [0, 2])
def test_whoever_reads_an_open_loop_sees_all_that_it_has_gathered(body, keep):
    whole: list[JsonObject] = []
    for forgets in (False, True):
        harness = Harness(settings=Settings(forget_after_tasks=1))
        looped = loop("l", "$.l.iteration < 5", *body, **inputs(keepLastN=keep))
        run = run_of(harness, looped, given={"way": "x"}, defs=[{"name": "a", "retryDelaySeconds": 0}])
        workers = {"a": Flaky(2), "b": Flaky(0)}
        while taken := harness.take("a", "b"):
            for each in taken:
                harness.publish(harness._result(each, workers[each.queue]))
                row = row_of(harness, run)
                outputs = seen(harness, run, row.seq)
                assert outputs == [outputs[0]] * 4
                if row.status.is_open:
                    assert row.output == {"iteration": row.iteration}
                    assert_remembered_as_stored(harness, run)
                if forgets:
                    harness.restart_decider()
        assert harness.run(run).status == "COMPLETED"
        assert set(row_of(harness, run).output) == {"iteration", *map(str, range(1, 6) if not keep else (4, 5))}
        whole.append(row_of(harness, run).output)
    assert whole[0] == whole[1]


def test_expressions_see_what_was_gathered_before_the_decider_forgot_the_run(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("b", **inputs(all="${l.output}", first="${l.output.1}"))))
    for _ in range(3):
        harness.restart_decider()
        assert step_on(harness)
    assert harness.task(run, "b__3").input["all"] == {"iteration": 3, "1": {"b": {"v": 1}}, "2": {"b": {"v": 1}}}
    assert harness.task(run, "b__3").input["first"] == {"b": {"v": 1}}


def step_on(harness: Harness) -> bool:
    """Have a worker carry out what waits in the queue b, and no more than that."""
    taken = harness.take("b")
    harness.publish(*(harness._result(each, lambda _: {"v": 1}) for each in taken))
    return bool(taken)


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("way", ["terminate", "fail", "time out", "set aside"])
def test_a_loop_that_is_ended_from_outside_is_written_with_all_that_it_has_gathered(forgets, way):
    harness = Harness()
    given = [{"name": "b", "retryCount": 0}]
    run = run_of(harness, loop("l", "true", step("b")), defs=given, timeoutSeconds=60, timeoutPolicy="TIME_OUT_WF")
    assert step_on(harness)
    assert step_on(harness)
    if forgets:
        harness.restart_decider()
    if way == "terminate":
        assert harness.request(run, "terminate").granted
    elif way == "fail":
        harness.work({"b": fails})
    elif way == "time out":
        harness.advance(60)
    else:
        (result,) = (harness._result(each, echo) for each in harness.take("b"))
        harness._outside.publish([result])
        (delivery,) = harness.arrived()
        harness.executor.set_aside(delivery, "It has killed three deciders.")
    expected = {"iteration": 3, "1": {"b": {"v": 1}}, "2": {"b": {"v": 1}}}
    assert harness.task(run, "l").status == "CANCELED"
    assert seen(harness, run, 1) == [expected] * 4
    # Whoever sets a run aside reads no payloads, so the rest is left to the other rows for ever.
    assert row_of(harness, run).output == (expected if way != "set aside" else {"iteration": 3})


def test_a_loop_that_is_retried_goes_on_with_what_it_had_gathered(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("b")), defs=[{"name": "b", "retryCount": 0}])
    assert step_on(harness)
    harness.work({"b": fails})
    assert harness.request(run, "retry").granted
    assert seen(harness, run, 1) == [{"iteration": 2, "1": {"b": {"v": 1}}}] * 4
    harness.restart_decider()
    harness.work({"b": echo})
    assert row_of(harness, run).output == {"iteration": 3, "1": {"b": {"v": 1}}, "2": {"b": {}}, "3": {"b": {}}}


def test_a_run_that_goes_back_into_an_iteration_keeps_what_came_before(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 4", step("b")))
    harness.work({"b": lambda _: {"v": 1}})
    assert harness.request(run, "rerun", reRunFromTaskId=f"{run}.4").granted
    for _ in range(2):
        harness.restart_decider()
        assert step_on(harness)
    assert harness.run(run).status == "COMPLETED"
    assert row_of(harness, run).output == {"iteration": 4} | {str(each): {"b": {"v": 1}} for each in range(1, 5)}


def test_what_is_done_over_is_kept_with_all_that_it_had_gathered(harness):
    run = run_of(harness, loop("l", "true", step("b")))
    assert step_on(harness)
    assert harness.request(run, "terminate").granted
    assert harness.request(run, "restart").granted
    with harness.store.transaction() as tx:
        (earlier,) = tx.earlier_rounds(run)
    assert next(task for task in earlier.tasks if task.ref == "l").output == {"iteration": 2, "1": {"b": {"v": 1}}}


def test_a_row_that_an_earlier_version_has_written_whole_is_taken_as_it_is(harness):
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("b")))
    assert step_on(harness)
    table, whole = harness.store._tables.tasks[run], {"iteration": 2, "1": {"b": {"v": "as it was"}}}
    table[1] = replace(table[1], output=whole)
    harness.restart_decider()
    assert seen(harness, run, 1) == [whole] * 4
    assert step_on(harness)
    assert row_of(harness, run).output == {"iteration": 3}
    assert step_on(harness)
    assert row_of(harness, run).output == {**whole, "iteration": 3, "2": {"b": {"v": 1}}, "3": {"b": {"v": 1}}}


def test_a_loop_that_has_not_begun_has_gathered_nothing(harness):
    inner = loop("i", "true", step("b"))
    run = run_of(harness, loop("l", "$.l.iteration < 3", step("a"), inner, step("c")), defs=[])
    harness.work({"a": echo})
    assert seen(harness, run, row_of(harness, run, "i__1").seq) == [{"iteration": 1}] * 4


def test_what_is_gathered_by_runs_that_cannot_be_read_is_left_out(harness):
    run = run_of(harness, loop("l", "true", step("b")))
    assert step_on(harness)
    table = harness.store._tables.tasks[run]
    table[1] = replace(table[1], position=7)
    assert seen(harness, run, 1) == [{"iteration": 2}] * 4


def test_whoever_reads_a_task_of_an_open_loop_reads_few_other_rows(harness, monkeypatch):
    run = run_of(harness, loop("l", "true", step("b")))
    for _ in range(3):
        assert step_on(harness)
    with harness.store.transaction() as tx:
        monkeypatch.setattr(tx, "load", lambda *_: pytest.fail("all rows of the run were read"))
        found = tx.run(run)
        definition = tx.snapshots([found.definition_hash])[found.definition_hash]
        (task,) = tx.tasks_by_seq(run, [4])
        assert description(tx, found, [task], definition)(task).step.task_reference_name == "b"


def test_a_loop_that_a_terminate_ends_has_the_iteration_that_it_stands_in(harness):
    end = step("end", "TERMINATE", **inputs(terminationStatus="COMPLETED", workflowOutput={"at": "${o.output.1.b}"}))
    enough = switch("enough", {"2": [loop("i", "true", end)]}, **inputs(way="${b.output.calls}"))
    run = run_of(harness, loop("o", "true", step("b"), enough, step("after")))
    harness.work({"b": Flaky(0), "after": echo})
    assert harness.run(run).output == {"at": {"calls": 1}}
    ended = {"end": {"at": {"calls": 1}}}
    assert harness.task(run, "i__2").output == {"iteration": 1, "1": ended}
    shown = {key: part for key, part in row_of(harness, run, "o").output["2"].items() if key != "enough"}
    assert shown == {"b": {"calls": 2}, "i": {"iteration": 1, "1": ended}}
    assert set(row_of(harness, run, "o").output) == {"iteration", "1", "2"}


def test_such_a_loop_keeps_no_more_iterations_than_are_wanted(harness):
    end = step("end", "TERMINATE", **inputs(terminationStatus="COMPLETED"))
    enough = switch("enough", {"3": [end]}, **inputs(way="${b.output.calls}"))
    run = run_of(harness, loop("l", "true", step("b"), enough, **inputs(keepLastN=1)))
    harness.work({"b": Flaky(0)})
    assert [set(output) for output in seen(harness, run, 1)] == [{"iteration", "3"}] * 4
