"""Workflows and task definitions in Python: typed, and compiled to exactly the JSON that the engine runs.

from engine.dsl import Task, Value, workflow

price_order = Task("price_order", retry_count=3)

@workflow(version=1)
def order(items: Value) -> dict[str, Value]:
    price = price_order("price", items=items)
    return {"total": price.output.total}

order.to_json()
"""

from engine.dsl.control import DynamicFork, Fork, Loop, Switch, do_while, each, fork, fork_dynamic, fork_each, switch
from engine.dsl.errors import BadWorkflow, DefinitionWarning, DuplicateReference, Misplaced, UnknownReference
from engine.dsl.kinds import (
    dynamic,
    event,
    exclusive_join,
    http,
    human,
    inline,
    jq,
    noop,
    set_variables,
    start_workflow,
    step,
    sub_workflow,
    terminate,
    wait,
)
from engine.dsl.module import definitions_in
from engine.dsl.step import Step
from engine.dsl.task import Task
from engine.dsl.value import Value, expression, run
from engine.dsl.workflow import Workflow, workflow

__all__ = [
    "BadWorkflow",
    "DefinitionWarning",
    "DuplicateReference",
    "DynamicFork",
    "Fork",
    "Loop",
    "Misplaced",
    "Step",
    "Switch",
    "Task",
    "UnknownReference",
    "Value",
    "Workflow",
    "definitions_in",
    "do_while",
    "dynamic",
    "each",
    "event",
    "exclusive_join",
    "expression",
    "fork",
    "fork_dynamic",
    "fork_each",
    "http",
    "human",
    "inline",
    "jq",
    "noop",
    "run",
    "set_variables",
    "start_workflow",
    "step",
    "sub_workflow",
    "switch",
    "terminate",
    "wait",
    "workflow",
]
