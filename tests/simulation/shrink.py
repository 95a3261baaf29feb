"""Makes a failing story smaller: fewer workflows, fewer happenings, smaller definitions, as long as it still fails."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tests.simulation.scenario import Root, Scenario
from tests.simulation.shapes import smaller
from tests.simulation.story import Verdict, tell

#: Stories told at most in search of a smaller one.
_MOST_STORIES = 600


def shrink(scenario: Scenario) -> tuple[Scenario, Verdict]:
    """Return the smallest failing scenario that was found, with its verdict."""
    told = 0
    verdict = tell(scenario)
    assert verdict.fault is not None, "only a failing story can be made smaller"
    going_on = True
    while going_on:
        going_on = False
        for candidate in _smaller(scenario):
            told += 1
            if told > _MOST_STORIES:
                return scenario, verdict
            found = _told(candidate)
            if found is not None:
                scenario, verdict, going_on = candidate, found, True
                break
    return scenario, verdict


def _told(scenario: Scenario) -> Verdict | None:
    """Return the verdict of a story that fails; None for one that goes well or whose definitions are none."""
    try:
        verdict = tell(scenario)
    except Exception:
        return None
    return verdict if verdict.fault is not None else None


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    replace = msgspec.structs.replace
    for at in range(len(scenario.roots) if len(scenario.roots) > 1 else 0):
        yield replace(scenario, roots=_without(scenario.roots, at))
    happenings = scenario.happenings
    for length in (len(happenings) // 2, 1):
        for at in range(0, len(happenings) if length else 0, max(length, 1)):
            yield replace(scenario, happenings=[*happenings[:at], *happenings[at + length :]])
    for at, root in enumerate(scenario.roots):
        for less in _smaller_roots(root):
            yield replace(scenario, roots=[*scenario.roots[:at], less, *scenario.roots[at + 1 :]])
    if scenario.starter:
        yield replace(scenario, starter=False)
    if scenario.settings:
        yield replace(scenario, settings={})


def _smaller_roots(root: Root) -> Iterator[Root]:
    for shapes in smaller(root.shapes):
        yield msgspec.structs.replace(root, shapes=shapes)
    if root.failure:
        yield msgspec.structs.replace(root, failure=False)
    if root.end:
        yield msgspec.structs.replace(root, end="")
    if root.timeout:
        yield msgspec.structs.replace(root, timeout=0)


def _without(roots: list[Root], at: int) -> list[Root]:
    return [*roots[:at], *roots[at + 1 :]]
