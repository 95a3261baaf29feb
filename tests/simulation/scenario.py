"""A story: which workflows are started, and what happens to the engine meanwhile; all of it follows from one number."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import Struct

from engine.model.schedule import OverlapPolicy
from tests.simulation.account import Kind
from tests.simulation.shapes import TIMED, Shape, Shapes, kinds

#: What happens, when, and to whom: ``[kind, step or count, …]``.
Happening = list[Any]

DECIDERS = ("decider-1", "decider-2")
PROCESSES = (*DECIDERS, "starter", "timekeeper")
PARTITIONS = 3

#: Where a process can be hit on its road, in the order of the road.
STORE_POINTS = ("begin", "loaded", "saving", "committing", "committed")
BROKER_POINTS = ("sharing", "shared", "received", "publishing", "half", "published", "following", "acking", "acked")
POINTS = (*STORE_POINTS, *BROKER_POINTS)
#: Those between the commit and the ack.
AFTER_COMMIT = ("committed", "publishing", "half", "published", "acking")
#: Kinds of message whose loss, with the broker's disk, somebody has to notice.
_LOST_WITH_THE_DISK = ("child_started", "child_ended", "start", "wake", "slot", "request")

#: Where the timekeeper may die while it has everything sent again.
_DEATHS_OF_A_RESCUE = ("begin", "committed", "half", "published")

#: What a worker may do that changes nothing about the outcome, and what may change it.
HARMLESS = ("twice", "twice", "late twice", "slow", "alive", "progress", "retries", "dies")
HARMFUL = ("hangs", "hangs alive", "too late", "contradicts")

#: What may happen in any story; in a hard one also what may change the outcome.
_EASY_KINDS = (
    *("crash",) * 5, *("crash_after",) * 3, *("cut_after",) * 2, *("cut",) * 3, *("store",) * 3, "cut_all", "zombie",
    "duplicate", "duplicate", "reorder", "both_own", "lease_lost", "stall", "garbage", "start_again", "start_once",
    "pause", "pause", "jump", "back", "lose_wakes", "late_starts",
    "reset", "message", "decide",
)  # fmt: skip
_HARD_KINDS = (
    *_EASY_KINDS, "wipe", "wipe_with", "wipe_with", "leap", "leap", "terminate", "terminate", "retry", "retry",
    "retry_child", "unwanted", "signal", "restart", "restart",
    "rerun", "rerun", "variables", "skip", "skip", "remove", "resume", "update", "update", "purge", "bug",
)  # fmt: skip

#: Where these happen there is no schedule: whose runs were open together cannot be told, or somebody has changed it.
_NO_SCHEDULE = frozenset({"back", "terminate", "retry", "retry_child", "rerun_child"})

#: Steps of a story during which things happen; it ends when everything has come to rest.
_BUSY_STEPS = 500


class Root(Struct):
    """A workflow that somebody starts."""

    name: str
    shapes: list[Shape]
    start: int
    end: str = ""
    failure: bool = False
    #: Seconds after which the whole run times out; 0 means never.
    timeout: int = 0

    def is_timed(self) -> bool:
        """True when what comes of it is a matter of time."""
        return bool(self.timeout) or not kinds(self.shapes).isdisjoint(TIMED)


class Scenario(Struct):
    """Everything that is up to chance; the same scenario always gives the same story."""

    seed: int
    roots: list[Root]
    happenings: list[Happening]
    settings: dict[str, int]
    starter: bool = True
    #: What becomes of a date of a schedule while the run before is open; nothing where there is no schedule.
    schedule: str = ""

    def plain(self) -> Scenario:
        """Return the same workflows without anything going wrong."""
        return Scenario(seed=self.seed, roots=self.roots, happenings=[], settings={}, starter=False)


def scenario(seed: int) -> Scenario:
    """Return the story of a seed."""
    random = Random(seed)
    hard = random.random() < 0.4
    roots = [_root(random, number, hard) for number in range(random.choice((1, 1, 2, 2, 3)))]
    happenings = [_happening(random, hard) for _ in range(random.randint(1, 14))]
    happenings += [["worker", random.randint(0, 40), random.choice(HARMLESS)] for _ in range(random.randint(0, 6))]
    if hard:
        happenings += [["worker", random.randint(0, 25), random.choice(HARMFUL)] for _ in range(random.randint(0, 3))]
    if any(each[0].startswith("wipe") for each in happenings) and random.random() < 0.7:
        happenings.append(["crash_rescue", 1, 0, random.choice(_DEATHS_OF_A_RESCUE)])
    happenings += _refused(random, roots) if random.random() < 0.1 else []
    happenings += _flapping(random) if random.random() < 0.06 else []
    happenings += _rescued(random, roots) if hard and random.random() < 0.06 else []
    if random.random() < 0.5:
        happenings += _pointed(random, random.choice(list(Kind)), roots)
    happenings += _redirected(Random(f"redirected {seed}"), roots) if hard and seed % 4 == 0 else []
    _scripted(Random(f"scripted {seed}"), roots)
    settings = {
        "batch_size": random.choice((1, 2, 5, 50)),
        "cache_workflows": random.choice((1, 2, 100, 100)),
        "step_budget": random.choice((2, 5, 20_000, 20_000)),
    }
    starter = random.random() < 0.5
    return Scenario(seed, roots, happenings, settings, starter, "" if hard else _schedule(seed, happenings))


def _root(random: Random, number: int, hard: bool) -> Root:
    timed = hard and random.random() < 0.3
    shapes = Shapes(random, random.randint(2, 8), timed=timed).sequence()
    end = random.choice(("", "", "", "COMPLETED", "FAILED"))
    timeout = random.choice((5, 30, 600)) if hard and random.random() < 0.15 else 0
    return Root(f"{'abc'[number]}_root", shapes, random.randint(1, 150), end, random.random() < 0.4, timeout)


def _pointed(random: Random, kind: Kind, roots: list[Root]) -> list[Happening]:
    """Return crashes after the commit of this very kind of command, and what makes it likely to be given at all."""
    point = random.choice(AFTER_COMMIT)
    fault = random.choice(("crash_after", "crash_after", "cut_after"))
    found: list[Happening] = [[fault, 1, kind.value, point, True] for _ in range(2)]
    number = random.randint(0, 1_000)
    match kind:
        case Kind.FAILURE:
            roots[0].failure, roots[0].end = True, "FAILED"
        case Kind.RETRY:
            roots[0].shapes.insert(0, ["same", "work", 8, {"optional": True}])
        case Kind.RESUME | Kind.REPLY:
            at = random.randint(roots[0].start, roots[0].start + 60)
            found += [["pause", at, 0], ["resume", at + 20, 0]]
        case Kind.RETRY_CHILD | Kind.REVIVE:
            roots[0].shapes.insert(0, ["child", [["heavy", "task", {}]], False, "", {}])
            verb = "retry_child" if kind is Kind.REVIVE else "retry"
            found += [[verb, 200 + 60 * each, 2 * number + 1] for each in range(4)]
        case Kind.RERUN_CHILD:
            roots[0].shapes.insert(0, ["child", [["work", "once", {}]], False, "", {}])
            found += [["rerun_child", 200 + 60 * each, number] for each in range(4)]
        case Kind.CANCEL:
            roots[0].shapes.insert(0, ["fork", [[["end", "FAILED"]], [["work", "slow", {}]], [["human"]]], 0])
            roots[0].shapes.insert(0, ["child", [["work", "work", {}]], True, "", {}])
            found.append(["terminate", roots[0].start + random.randint(5, 25), 0])
            found += [["unwanted", 1, 0]] if random.random() < 0.5 else []
        case Kind.SLOT | Kind.FREED:
            roots[0].shapes.insert(0, ["same", random.choice(("limited", "rated")), 4, {}])
        case Kind.CHILD | Kind.STARTED | Kind.ENDED:
            roots[0].shapes.insert(0, ["child", [["work", "work", {}]], random.random() < 0.5, "", {}])
    return found


def _refused(random: Random, roots: list[Root]) -> list[Happening]:
    """Return what hits a process that deals with a message which the broker refuses."""
    roots[0].shapes.insert(0, ["child", [["heavy", "task", {}]], random.random() < 0.5, "", {}])
    fault = random.choice((["crash", False], ["crash", True], ["cut"]))
    return [[fault[0], 1, process, "following", *fault[1:]] for process in PROCESSES[:3]]


def _flapping(random: Random) -> list[Happening]:
    """Return leases lost again and again while the line is cut in the middle of sharing out, and long gone."""
    found: list[Happening] = [["cut_long", at, "decider-1", "shared"] for at in range(40, 400, 60)]
    return found + [["lease_lost", at, "decider-2"] for at in range(45 + random.randint(0, 5), 420, 15)]


def _redirected(random: Random, roots: list[Root]) -> list[Happening]:
    """Return people who send a running run elsewhere: to another step, or to the latest version of its definition."""
    verb = random.choice(("go_to", "go_to", "upgrade"))
    return [[verb, roots[0].start + random.randint(2, 120), random.randint(0, 1_000)] for _ in range(2)]


def _scripted(random: Random, roots: list[Root]) -> None:
    """Give some stories a join that asks a script."""
    if random.random() < 0.08:
        shapes = Shapes(random, 4)
        branches = [shapes.sequence(2, 2) for _ in range(2)]
        roots[0].shapes.append(["scripted", branches, random.choice(("every", "some"))])


def _schedule(seed: int, happenings: list[Happening]) -> str:
    """Give some stories a schedule."""
    if seed % 20 or any(each[0] in _NO_SCHEDULE for each in happenings):
        return ""
    return list(OverlapPolicy)[seed // 20 % len(OverlapPolicy)].value


def _rescued(random: Random, roots: list[Root]) -> list[Happening]:
    """Return the loss of news that only the rescuer can bring back, and its death while it does."""
    roots[0].shapes.insert(0, ["child", [["work", "work", {}]], random.random() < 0.5, "", {}])
    lost = [["wipe_with", 1, random.choice(("child_ended", "child_ended", "start"))]]
    return [*lost, ["crash_rescue", 1, 0, random.choice(_DEATHS_OF_A_RESCUE)]]


def _happening(random: Random, hard: bool) -> Happening:
    at = random.randint(1, _BUSY_STEPS)
    kind = random.choice(_HARD_KINDS if hard else _EASY_KINDS)
    # What waits for something to come by is there early.
    at = at // 3 if kind in ("crash_after", "cut_after", "wipe_with", "late_starts", "unwanted") else at
    return [kind, at, *_arguments(random, kind)]


def _arguments(random: Random, kind: str) -> list[Any]:
    process = random.choice(PROCESSES[:2] * 3 + PROCESSES)
    drawn: dict[str, Callable[[], list[Any]]] = {
        "crash": lambda: [process, random.choice(POINTS), random.random() < 0.3],
        "crash_after": lambda: [random.choice(list(Kind)).value, random.choice(AFTER_COMMIT), random.random() < 0.7],
        "cut_after": lambda: [random.choice(list(Kind)).value, random.choice(AFTER_COMMIT), random.random() < 0.7],
        "cut": lambda: [process, random.choice(BROKER_POINTS)],
        "store": lambda: [process, random.choice(STORE_POINTS)],
        "wipe_with": lambda: [random.choice(_LOST_WITH_THE_DISK)],
        "zombie": lambda: [process],
        "lease_lost": lambda: [process],
        "stall": lambda: [process, random.randint(1, 60)],
        "jump": lambda: [random.randint(1, 20)],
        "back": lambda: [random.randint(1, 20)],
        "leap": lambda: [random.choice((100, 5_000, 90_000))],
        "both_own": lambda: [random.randrange(PARTITIONS)],
    }
    return drawn.get(kind, lambda: [random.randint(0, 1_000)])()
