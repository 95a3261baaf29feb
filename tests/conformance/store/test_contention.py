"""Several that write the same at the same time: one of them has, and the others know that they have not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from engine.errors import Transient
from engine.model.definition import WorkflowDef
from engine.store.port import Save, Store
from tests.conformance.store.runs import a_run, a_task, change, create, load, save

TOGETHER = 4
ROUNDS = 10


def at_once(work: Callable[[int], set[str]]) -> list[set[str]]:
    """Do the work in several threads at once, again for those who are told to try again."""
    start = Barrier(TOGETHER)

    def one(number: int) -> set[str]:
        start.wait()
        while True:
            try:
                return work(number)
            except Transient:
                continue

    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(one, range(TOGETHER)))


def test_of_those_that_begin_the_same_runs_one_does(store: Store) -> None:
    for number in range(ROUNDS):
        runs = [f"{number}-{each}" for each in range(3)]
        written = at_once(
            lambda who, runs=runs: create(
                store,
                *(a_run(run, reason=str(who)) for run in runs),
                tasks=[a_task(run, worker=str(who)) for run in runs],
            )
        )
        for run in runs:
            (winner,) = [who for who, ids in enumerate(written) if run in ids]
            assert load(store, run).workflow.reason == str(winner)
            assert [task.worker for task in load(store, run).tasks] == [str(winner)]


def test_of_those_that_save_from_the_same_version_one_does(store: Store) -> None:
    runs = [a_run(f"run-{number}") for number in range(5)]
    create(store, *runs)
    for version in range(1, ROUNDS):
        written = at_once(
            lambda who, version=version: save(
                store,
                *(
                    Save(
                        workflow=change(a_run(run.id, version_no=version), reason=str(who)),
                        loaded_version=version,
                        inserted=[a_task(run.id, version, worker=str(who))],
                    )
                    for run in (runs if who % 2 else reversed(runs))
                ),
            )
        )
        for run in runs:
            (winner,) = [who for who, ids in enumerate(written) if run.id in ids]
            rows = load(store, run.id)
            assert (rows.workflow.version_no, rows.workflow.reason) == (version + 1, str(winner))
            assert [task.worker for task in rows.tasks if task.seq == version] == [str(winner)]


def test_of_those_that_register_the_same_version_one_does(store: Store) -> None:
    for version in range(1, ROUNDS):

        def register(who: int, version: int = version) -> set[str]:
            document = {"name": "order", "version": version, "description": str(who), "tasks": []}
            with store.transaction() as transaction:
                done = transaction.register_workflow(WorkflowDef.model_validate(document), overwrite=False)
            return {"order"} if done else set()

        (winner,) = [who for who, done in enumerate(at_once(register)) if done]
        with store.transaction() as transaction:
            stored = transaction.workflow_def("order", version)
        assert stored is not None
        assert stored.description == str(winner)
