"""A task type is one file: a new one works end to end without a change to any other."""

from __future__ import annotations

import pytest

import engine.tasks
from engine.errors import BadDefinition
from tests.unit.decider.steps import echo, fork, inputs, loop, run_of, step

SOURCE = '''
"""COUNTDOWN: holds the flow for as many seconds as its input says, or for a signal."""

from engine.clock import after
from engine.errors import Fault
from engine.tasks.step import Branch, Complete, Hold, Open, TaskType


class Countdown(TaskType):
    name = "COUNTDOWN"
    takes_signal = True

    def check(self, config):
        if "seconds" not in config.input_parameters:
            yield Fault("inputParameters.seconds", "say how long")

    def start(self, at):
        seconds = at.task.input["seconds"]
        return Complete(output={"waited": 0}) if not seconds else Hold(until=after(at.now, seconds))

    def due(self, at):
        return Complete(output={"waited": at.task.input["seconds"]})


class Once(TaskType):
    """Runs a list within the flow and gathers nothing."""

    name = "ONCE"
    retriable = False
    reopens = True

    def start(self, at):
        return Open(done=False)

    def branches(self, config, task):
        return (Branch(name="only", steps=config.loop_over),) if task.status.is_open else ()

    def branch_ended(self, at):
        return Complete(output={"done": True})


TYPES = (Countdown(), Once())
'''


def forget_types():
    engine.tasks.task_types.cache_clear()
    engine.tasks.task_type.cache_clear()


@pytest.fixture(autouse=True)
def countdown(tmp_path, monkeypatch):
    """A directory with one more type, beside those that the engine brings."""
    (tmp_path / "countdown.py").write_text(SOURCE)
    monkeypatch.setattr(engine.tasks, "__path__", [*engine.tasks.__path__, str(tmp_path)])
    forget_types()
    yield
    monkeypatch.undo()
    forget_types()


def test_it_runs_from_start_to_end(harness):
    run = run_of(harness, step("c", "COUNTDOWN", **inputs(seconds=5)), step("after"))
    harness.restart_decider()
    harness.advance(5)
    assert harness.task(run, "c").output == {"waited": 5}
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"


def test_it_works_in_loops_and_forks_and_takes_signals(harness):
    body = fork("f", [step("c", "COUNTDOWN", **inputs(seconds=5))], [step("d", "COUNTDOWN", **inputs(seconds=0))])
    run = run_of(harness, loop("l", "$.l.iteration < 2", *body))
    assert harness.request(run, "signal", output={"early": True}).granted
    harness.advance(5)
    assert harness.task(run, "l").output["1"]["c"] == {"early": True}
    assert harness.task(run, "l").output["2"]["c"] == {"waited": 5}


def test_its_mistakes_are_found_when_a_workflow_is_registered(harness):
    with pytest.raises(BadDefinition, match="say how long"):
        run_of(harness, step("c", "COUNTDOWN"))


def test_a_container_of_ones_own_works_too(harness):
    run = run_of(harness, step("o", "ONCE", loopOver=[step("a"), step("b")]), step("after"))
    harness.work({"a": echo})
    harness.restart_decider()
    harness.work({"b": echo})
    assert harness.task(run, "o").output == {"done": True}
    harness.restart_decider()
    harness.work({"after": echo})
    assert harness.run(run).status == "COMPLETED"
