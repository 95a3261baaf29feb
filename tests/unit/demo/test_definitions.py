"""The shipped definitions: all are valid, all their tasks exist, retries and timeouts are said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.app import app
from demo.cases import Case, load
from engine.decider.validate import check_task, check_workflow
from engine.model.definition import WorkflowDef, read, walk
from workers.task_names import served_tasks

DEFINITIONS = Path(__file__).parents[3] / "definitions"
WORKFLOWS = sorted((DEFINITIONS / "workflows").glob("*.json"))
TASKS = sorted((DEFINITIONS / "tasks").glob("*.json"))


def workflow(path: Path) -> WorkflowDef:
    definition, faults = read(WorkflowDef, json.loads(path.read_text()), path.name)
    assert not faults
    return definition


def carried_tasks() -> set[str]:
    """The short names of the app's tasks; what a worker does first is import the app's modules."""
    app.loader.import_default_modules()
    return set(served_tasks(app))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_is_valid_and_named_like_its_file(path: Path) -> None:
    definition = check_workflow(json.loads(path.read_text()))

    assert path.name == f"{definition.name}.v{definition.version}.json"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_says_who_owns_it_when_it_ends_and_what_comes_out(path: Path) -> None:
    definition = workflow(path)

    assert definition.description
    assert definition.owner_email
    assert definition.timeout_seconds > 0
    assert definition.timeout_policy == "TIME_OUT_WF"
    assert definition.output_parameters


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_shipped_task_definition_is_valid_and_gives_its_limits(path: Path) -> None:
    definition = check_task(json.loads(path.read_text()))

    assert path.name == f"{definition.name}.json"
    assert 0 < definition.response_timeout_seconds <= definition.timeout_seconds
    assert definition.retry_count > 0


def test_workflows_name_only_tasks_that_the_app_carries_and_each_has_a_definition() -> None:
    named = {step.name for path in WORKFLOWS for _, step in walk(workflow(path).tasks) if step.type == "SIMPLE"}
    forked = {
        step.input_parameters["forkTaskName"]
        for path in WORKFLOWS
        for _, step in walk(workflow(path).tasks)
        if "forkTaskName" in step.input_parameters and "forkTaskType" not in step.input_parameters
    }

    assert named | forked == carried_tasks()
    assert named | forked <= {path.stem for path in TASKS}


def test_every_task_definition_is_used() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS)

    assert [path.stem for path in TASKS if f'"{path.stem}"' not in text] == []


def test_every_workflow_that_another_one_starts_ships_too() -> None:
    names = {path.stem.removesuffix(".v1") for path in WORKFLOWS}
    definitions = [workflow(path) for path in WORKFLOWS]
    started = {definition.failure_workflow for definition in definitions} - {None}
    for definition in definitions:
        for _, step in walk(definition.tasks):
            if step.sub_workflow_param:
                started.add(step.sub_workflow_param.name)
            if "forkTaskWorkflow" in step.input_parameters:
                started.add(step.input_parameters["forkTaskWorkflow"])

    assert started <= names


@pytest.mark.parametrize("case", load(), ids=lambda case: case.name)
def test_a_shipped_input_has_what_its_workflow_asks_for_and_no_path_of_a_machine(case: Case, tmp_path: Path) -> None:
    definition = workflow(DEFINITIONS / "workflows" / f"{case.workflow}.v1.json")

    assert set(case.input(tmp_path, "http://site")) == set(definition.input_parameters)
    assert '"/' not in (DEFINITIONS / "inputs" / case.input_file).read_text()
