"""Stories about what chance hardly ever brings about; they are told before all others, each in several orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.model.schedule import OverlapPolicy
from tests.simulation.scenario import (
    BROKER_POINTS,
    DECIDERS,
    PARTITIONS,
    STORE_POINTS,
    Happening,
    Root,
    Scenario,
    scenario,
)
from tests.simulation.shapes import Shape

#: In how many orders each is told.
_ORDERS: Final = 6

_CHILD: Shape = ["child", [["work", "work", {}], ["work", "work", {}]], False, "", {}]
_SCRIPT = ["scripted", [[["noop"]], [["wait", 40]]]]

#: What is wanted and has not happened is wanted until then.
_LAST: Final[Happening] = ["jump", 500, 1]


def _story(shapes: list[Shape], happenings: list[Happening], end: str = "", timeout: int = 0) -> Scenario:
    root = Root("a_root", shapes, 1, end, timeout=timeout)
    return Scenario(0, [root], happenings, {})


def _scheduled(policy: OverlapPolicy) -> Callable[[int], Scenario]:
    def story(order: int) -> Scenario:
        deaths: list[Happening] = [
            ["crash", 1 + 45 * number + order, "timekeeper", point, False]
            for number, point in enumerate(("published", "committed", "publishing", *STORE_POINTS) * 2)
        ]
        return Scenario(
            0,
            [],
            [*deaths, ["wipe_with", 200, "start"], ["stall", 150 + 40 * order, "timekeeper", 4]],
            {},
            schedule=policy.value,
        )

    return story


def _every(number: int, kind: str, count: int, *arguments: object) -> list[Happening]:
    """Return the same happening again and again, each time ``number`` steps later."""
    return [[kind, number * (each + 1), *arguments] for each in range(count)]


#: What each is about, and what happens in the order of this number.
TALES: Final[dict[str, Callable[[int], Scenario]]] = {
    "a child begins when nobody wants it any more": lambda _: _story([_CHILD], [["unwanted", 1, 0]]),
    "the timekeeper dies while it has everything sent again after the loss of a disk": lambda order: _story(
        [_CHILD, ["work", "work", {}]],
        [
            ["wipe_with", 1, ("child_ended", "start", "child_started")[order % 3]],
            ["crash_rescue", 1, 0, ("begin", "published")[order % 2]],
            _LAST,
        ],
    ),
    "a task kills whoever begins it": lambda order: _story(
        [["work", ("once", "quick")[order % 2], {"optional": True}]], [["worker", 0, "deadly"]]
    ),
    "two deciders are given what concerns one run": lambda order: _story(
        [
            [
                "fork",
                [[["work", "work", {}], ["work", "quick", {}]], [["work", "slow", {}], ["wait", 4]], [["human"]]],
                5,
            ]
        ],
        [["both_own", 20 + order, partition] for partition in range(PARTITIONS)]
        + [["stall", 40 + 60 * number + 7 * order, DECIDERS[number % 2], 2] for number in range(4)]
        + [["decide", 30 + 25 * number, 0] for number in range(8)],
    ),
    "somebody wants a run only if it does not go on, and deciders change": lambda order: _story(
        [["wait", 0], ["work", "work", {"optional": True}]],
        [["both_own", 20 + order, partition] for partition in range(PARTITIONS)]
        + _every(23 + order, "start_once", 9, 0),
    ),
    "the decider cannot decide one of two runs": lambda order: _story(
        [["child", [["work", "work", {}], ["work", "work", {}]], False, "", {}]], [["bug", 30 + 5 * order, order]]
    ),
    "the database goes away again and again while children begin": lambda order: _story(
        [["kids", [["work", "work", {"optional": True}]], 3]],
        [
            ["store", 8 + 6 * number + order, process, point]
            for number, point in enumerate(STORE_POINTS)
            for process in DECIDERS
        ],
    ),
    "somebody ends the delays of a run": lambda order: _story(
        [["work", "work", {"startDelay": 2, "optional": True}]] * 3, _every(30 + order, "reset", 6, 0)
    ),
    "somebody removes a run that has ended": lambda order: _story([["noop"]], [["remove", 60 + order, 2 * order]]),
    "the broker loses its disk while many runs wait": lambda order: _story(
        [["kids", [["work", "work", {"optional": True}]], 3]],
        [["wipe", 45 + 12 * order, 0], _LAST],
    ),
    "a worker falls silent": lambda order: _story(
        [["work", "once", {"optional": True}]], [["worker", 0, ("hangs", "hangs alive")[order % 2]]]
    ),
    "a whole run times out": lambda order: _story([["wait", 900], ["human"]], [], timeout=5 + order),
    "a script of a join has enough of one branch": lambda _: _story([[*_SCRIPT, "some"], ["work", "work", {}]], []),
    "a script of a join waits for every branch": lambda _: _story(
        [["scripted", [[["work", "quick", {}]], [["work", "slow", {}]]], "every"]], []
    ),
    "a decider dies with the word of a worker that it has begun in hand": lambda order: _story(
        [["work", "once", {}], ["work", "once", {}]],
        [
            *(["worker", number, "slow"] for number in range(2)),
            *(["crash", 24 + 4 * order, process, "committed", bool(order % 2)] for process in DECIDERS),
        ],
    ),
    "somebody sends a run back and forth": lambda order: _story(
        [["work", "work", {"optional": True}], ["wait", 4], ["work", "work", {}], ["wait", 4]],
        [["go_to", 40 + 30 * each, 7 * order + each] for each in range(4)],
    ),
    "somebody has a run go by a newer version": lambda order: _story(
        [["wait", 40], ["work", "work", {}], ["human"]], _every(20 + order, "upgrade", 3, 0)
    ),
    "somebody retries a child, whose parent had given up": lambda order: _story(
        [["child", [["heavy", "task", {}]], False, "", {}]], _every(60 + order, "retry_child", 4, order)
    ),
    "a parent hears of the end of a child that was retried, and only then of the retry": lambda order: _story(
        [["child", [["heavy", "task", {}]], False, "", {}]],
        [
            happening
            for step, process in ((160, DECIDERS[order % 2]), (360, DECIDERS[(order + 1) % 2]))
            for happening in (["retry_child", step, 0], ["stall", step, process, 5], ["reorder", step + 28, 0])
        ],
    ),
    "somebody has a run done over from a task of a run below it": lambda order: _story(
        [["child", [["work", "once", {}], ["wait", 4]], False, "", {}]], _every(60 + order, "rerun_child", 4, order)
    ),
    "a decider dies while it hands a task to a worker that polls": lambda order: _story(
        [["work", "once", {}], ["work", "once", {}], ["work", "work", {}]],
        [
            *(["worker", number, "polls"] for number in range(6)),
            *(["crash", 20 + 5 * order, process, STORE_POINTS[-1], bool(order % 2)] for process in DECIDERS),
            ["cut", 40 + 7 * order, DECIDERS[order % 2], BROKER_POINTS[order]],
        ],
    ),
    **{f"a schedule, {policy}": _scheduled(policy) for policy in OverlapPolicy},
}

#: How many stories that makes; their seeds are below 0.
DIRECTED: Final = len(TALES) * _ORDERS


def story_of(seed: int) -> Scenario:
    """Return the story of a seed; those of -1 down to -``DIRECTED`` are the directed ones."""
    return scenario(seed) if seed >= 0 else _directed(seed)


def _directed(seed: int) -> Scenario:
    """Return one after the other, then each in another order."""
    order, number = divmod(-1 - seed, len(TALES))
    story = list(TALES.values())[number](order)
    story.seed, story.starter = seed, bool(order % 2)
    return story
