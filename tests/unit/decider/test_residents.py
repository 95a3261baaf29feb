"""What a decider keeps in memory is bounded in runs, in tasks and in bytes; what was used last stays."""

from __future__ import annotations

from engine.decider.execution import Execution
from engine.decider.residents import Resident, Residents
from engine.model.definition import WorkflowDef
from engine.model.execution import Task, Workflow
from engine.testing.harness import Harness


def resident(name: str, tasks: int = 1, payload_bytes: int = 0) -> Resident:
    run = Execution(Workflow(id=name, name="one", version=1, definition_hash="h"), WorkflowDef(name="one"))
    run.tasks = {seq: Task(workflow_id=name, seq=seq, ref="a", type="SIMPLE", name="a") for seq in range(1, tasks + 1)}
    return Resident(run, None, payload_bytes)


def kept(residents: Residents, *names: str) -> list[str]:
    return [name for name in names if name in residents._runs]


def test_the_run_that_was_not_used_for_longest_goes_first() -> None:
    residents = Residents(2, 100, 100)
    for name in ("a", "b"):
        residents.keep(resident(name))
    residents.get("a")
    residents.keep(resident("c"))
    assert kept(residents, "a", "b", "c") == ["a", "c"]


def test_many_tasks_and_large_payloads_drive_others_out() -> None:
    residents = Residents(100, 10, 1_000)
    residents.keep(resident("a", tasks=6))
    residents.keep(resident("b", tasks=6))
    assert kept(residents, "a", "b") == ["b"]
    residents.keep(resident("c", payload_bytes=600))
    residents.keep(resident("d", payload_bytes=600))
    assert kept(residents, "b", "c", "d") == ["d"]


def test_a_run_grows_by_what_it_hears_and_the_newest_always_stays() -> None:
    residents = Residents(100, 100, 1_000)
    growing = resident("growing")
    residents.keep(resident("other", payload_bytes=500))
    for _ in range(3):
        residents.keep(growing, 400)
    assert kept(residents, "other", "growing") == ["growing"]
    assert growing.payload_bytes == 1_200


def test_what_has_gone_counts_no_more() -> None:
    residents = Residents(100, 100, 1_000)
    for number in range(50):
        residents.keep(resident(f"run-{number}", payload_bytes=900))
        residents.drop(f"run-{number}")
    residents.keep(resident("a", payload_bytes=400))
    residents.keep(resident("b", payload_bytes=400))
    assert kept(residents, "a", "b") == ["a", "b"]
    residents.clear()
    assert len(residents) == 0


def test_the_road_counts_what_runs_are_given_and_answered() -> None:
    harness = Harness()
    harness.register({"name": "one", "tasks": [{"name": name, "taskReferenceName": name} for name in ("a", "b")]})
    harness.start("one", {"text": "x" * 100_000})
    harness.work({"a": lambda _: {"text": "y" * 200_000}})
    residents = harness.executor._residents
    assert 300_000 < residents._bytes < 310_000
