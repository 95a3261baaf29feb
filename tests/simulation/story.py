"""Tells a story to its end, and compares what came out with what it must come to when nothing goes wrong."""

from __future__ import annotations

import traceback
from typing import Any

import structlog
from msgspec import Struct, field

from tests.simulation.account import Account
from tests.simulation.expected import Expected, Undetermined
from tests.simulation.outcome import differences, lasting, outcome
from tests.simulation.rules import Rule, Violated
from tests.simulation.scenario import Scenario
from tests.simulation.world import World

#: Of so many stories one is also told without faults; all are compared with what they must come to.
_PLAIN_EVERY = 8


class Verdict(Struct):
    """What is wrong with a story (None: nothing), and what it went through."""

    seed: int
    fault: str | None
    rule: str | None
    steps: int
    runs: int = 0
    account: Account = field(default_factory=Account)
    recalled: int = 0
    conflicts: int = 0
    compared: int = 0
    types: set[str] = set()
    #: What was asked of runs and granted.
    verbs: set[str] = set()
    trace: list[str] = []


def tell(scenario: Scenario, *, trace: bool = False) -> Verdict:
    """Tell the story; every kind of exception is a fault of the engine, or of the simulation."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    world = World(scenario, trace=trace)
    fault, rule, compared = None, None, 0
    try:
        world.run()
        compared = _compare(world)
    except Violated as violated:
        fault, rule = str(violated), violated.rule.value
    except Exception as error:
        fault, rule = f"{type(error).__name__}: {error}", Rule.NO_ERROR.value
        if trace:
            world.note(traceback.format_exc())
    return Verdict(
        seed=scenario.seed,
        fault=fault,
        rule=rule,
        steps=world.step,
        runs=len(world.store._tables.workflows),
        account=world.accountant.account,
        recalled=world.invariants.recalled,
        conflicts=world.invariants.conflicts,
        compared=compared,
        types={task.type for rows in world.every_run() for task in rows.tasks},
        verbs=world.invariants.granted,
        trace=world.trace or [],
    )


def _compare(world: World) -> int:
    """Return how many roots have come out as they must; raise Violated for one that has not."""
    names = world.unchanged_roots()
    plain = None
    if names and world.scenario.seed % _PLAIN_EVERY == 0:
        plain = World(world.scenario.plain())
        plain.run()
    compared = 0
    expected = Expected(world.definitions)
    for name in names:
        try:
            wanted = expected.outcome(world.definitions[name], {"n": 1})
        except Undetermined:
            continue
        compared += 1
        _expect_same(wanted, outcome(world, name), name, "must be")
        if plain is not None:
            same, found = (lasting(outcome(each, name), wanted) for each in (plain, world))
            _expect_same(same, found, name, "would be, without faults,")
    return compared


def _expect_same(expected: Any, found: Any, name: str, must: str) -> None:
    for path, wanted, got in differences(expected, found, name):
        raise Violated(Rule.OUTCOME, f"{path} is {got} and {must} {wanted}")
