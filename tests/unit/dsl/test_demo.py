"""The demo's definitions, written in Python, are the JSON in ``definitions`` to the letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.dsl import definitions_in
from tests.unit.dsl import demo_tasks, demo_workflows

DEFINITIONS = Path(__file__).parents[3] / "definitions"


def shown(path):
    return path.name


@pytest.mark.parametrize("path", sorted((DEFINITIONS / "workflows").glob("*.json")), ids=shown)
def test_each_workflow_compiles_to_its_file(path):
    document = json.loads(path.read_text())

    assert getattr(demo_workflows, document["name"]).to_json() == document


@pytest.mark.parametrize("path", sorted((DEFINITIONS / "tasks").glob("*.json")), ids=shown)
def test_each_task_compiles_to_its_file(path):
    document = json.loads(path.read_text())

    assert getattr(demo_tasks, document["name"]).to_json() == document


def test_a_module_knows_what_it_holds():
    assert len(definitions_in(demo_tasks)) == len(list((DEFINITIONS / "tasks").glob("*.json")))
    assert len(definitions_in(demo_workflows)) == len(list((DEFINITIONS / "workflows").glob("*.json")))
