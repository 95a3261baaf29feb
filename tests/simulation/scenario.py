"""A story: which workflows are started, and what happens to the engine meanwhile; all of it follows from one number."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import Struct

from tests.simulation.workflows import Shape, Shapes

#: What happens, when, and to whom: ``[kind, step or count, …]``.
Happening = list[Any]

PROCESSES = ("decider-1", "decider-2", "starter", "timekeeper")
PARTITIONS = 3

#: Where a process can be hit on its road, in the order of the road.
STORE_POINTS = ("begin", "loaded", "saving", "committing", "committed")
BROKER_POINTS = ("received", "publishing", "half", "published", "acking", "acked")
POINTS = (*STORE_POINTS, *BROKER_POINTS)

#: What a worker may do that changes nothing about the outcome, and what may change it.
HARMLESS = ("twice", "twice", "late twice", "slow", "alive", "progress", "dies")
HARMFUL = ("hangs",)

#: Steps of a story during which things happen; it ends when everything has come to rest.
_BUSY_STEPS = 500


class Root(Struct):
    """A workflow that somebody starts."""

    name: str
    shapes: list[Shape]
    start: int
    end: str = ""
    failure: bool = False


class Scenario(Struct):
    """Everything that is up to chance; the same scenario always gives the same story."""

    seed: int
    roots: list[Root]
    happenings: list[Happening]
    settings: dict[str, int]
    starter: bool = True

    def plain(self) -> Scenario:
        """Return the same workflows without anything going wrong."""
        return Scenario(seed=self.seed, roots=self.roots, happenings=[], settings={}, starter=False)


def scenario(seed: int) -> Scenario:
    """Return the story of a seed."""
    random = Random(seed)
    roots = [_root(random, number) for number in range(random.choice((1, 1, 2, 2, 3)))]
    hard = random.random() < 0.4
    happenings = [_happening(random, hard) for _ in range(random.randint(1, 14))]
    happenings += [["worker", random.randint(0, 40), random.choice(HARMLESS)] for _ in range(random.randint(0, 6))]
    if hard:
        happenings += [["worker", random.randint(0, 25), random.choice(HARMFUL)] for _ in range(random.randint(0, 2))]
    settings = {
        "batch_size": random.choice((1, 2, 5, 50)),
        "cache_workflows": random.choice((1, 2, 100, 100)),
        "step_budget": random.choice((2, 5, 20_000, 20_000)),
    }
    return Scenario(seed, roots, happenings, settings, random.random() < 0.5)


def _root(random: Random, number: int) -> Root:
    shapes = Shapes(random, random.randint(2, 8)).sequence()
    end = random.choice(("", "", "", "COMPLETED", "FAILED"))
    return Root(f"{'abc'[number]}_root", shapes, random.randint(1, 150), end, random.random() < 0.4)


def _happening(random: Random, hard: bool) -> Happening:
    at = random.randint(1, _BUSY_STEPS)
    kinds = ["crash"] * 6 + ["cut"] * 3 + ["store"] * 3
    kinds += ["cut_all", "zombie", "duplicate", "duplicate", "reorder", "both_own", "lease_lost", "stall", "garbage"]
    kinds += ["start_again", "pause", "jump"]
    if hard:
        kinds += ["wipe", "leap", "terminate", "retry", "retry", "terminate", "signal", "resume"]
    kind = random.choice(kinds)
    process = random.choice(PROCESSES[:2] * 3 + PROCESSES)
    match kind:
        case "crash":
            return [
                kind,
                at,
                process,
                random.choice((*POINTS, "committed", "publishing", "half")),
                random.random() < 0.3,
            ]
        case "cut":
            return [kind, at, process, random.choice(BROKER_POINTS)]
        case "store":
            return [kind, at, process, random.choice(STORE_POINTS)]
        case "zombie" | "lease_lost":
            return [kind, at, process]
        case "stall":
            return [kind, at, process, random.randint(1, 60)]
        case "jump":
            return [kind, at, random.randint(1, 20)]
        case "leap":
            return [kind, at, random.choice((100, 5_000, 90_000))]
        case "both_own":
            return [kind, at, random.randrange(PARTITIONS)]
    return [kind, at, random.randint(0, 1_000)]
