"""Random workflows as shapes: small enough to be drawn from a number, kept in a file and made smaller."""

from __future__ import annotations

from random import Random
from typing import Any

#: The kind of a step, then what is special about it; plain JSON, so that a story can be kept and made smaller.
Shape = list[Any]

#: Worker tasks, by what their definitions in ``workflows`` say.
PATIENT = ("work", "quick", "slow", "linear", "once", "limited", "rated")
#: Those that time out: what comes of them is a matter of time.
TIMED = ("timed", "timed_out", "alerted", "total", "polled")
SYSTEM = ("INLINE", "LAMBDA", "JSON_JQ_TRANSFORM", "HTTP", "HTTP_POLL", "EVENT", "KAFKA_PUBLISH", "SQL", "JDBC")

_FLAGS: list[dict[str, Any]] = [
    {}, {}, {}, {}, {"optional": True}, {"permissive": True}, {"startDelay": 2}, {"retryCount": 1}
]  # fmt: skip
_SYSTEM_FLAGS: list[dict[str, Any]] = [{}, {}, {"asyncComplete": True}, {"optional": True}, {"retryCount": 2}]

_CONTAINERS = (
    "switch", "script", "decision", "fork", "fork", "same", "kids", "listed", "legacy", "loop", "loop", "items",
    "child", "child", "child", "launch",
)  # fmt: skip
_LEAVES = ("work",) * 8 + (
    "dynamic",
    "dynamic",
    "own",
    "system",
    "system",
    "wait",
    "wait",
    "human",
    "pull",
    "yield",
    "get",
    "update",
    "set",
    "noop",
)
#: What ends a run or fails it by itself; rare, or hardly any story would come far.
_HARSH = ("heavy", "broken", "end", "missing")


class Shapes:
    """Draws shapes: about ``budget`` steps, nested three deep at most; ``timed`` ones may time out."""

    def __init__(self, random: Random, budget: int, *, timed: bool = False) -> None:
        self._random = random
        self._left = budget
        self._timed = timed

    def sequence(self, depth: int = 0, most: int = 3) -> list[Shape]:
        """Return one step at least."""
        return [self._one(depth) for _ in range(self._random.randint(1, most))]

    def _one(self, depth: int) -> Shape:
        self._left -= 1
        if depth < 3 and self._left > 0 and self._random.random() < 0.45:
            return self._container(self._random.choice(_CONTAINERS), depth + 1)
        if self._random.random() < 0.03:
            return self._harsh(self._random.choice(_HARSH))
        return self._leaf(self._random.choice(_LEAVES))

    def _leaf(self, kind: str) -> Shape:
        random = self._random
        if self._timed and kind == "work" and random.random() < 0.6:
            return ["work", random.choice(TIMED), random.choice(_FLAGS)]
        match kind:
            case "work" | "dynamic":
                return [kind, random.choice(PATIENT), random.choice(_FLAGS)]
            case "own":
                return [kind, random.choice(_FLAGS)]
            case "system":
                name, flags = random.choice(SYSTEM), random.choice(_SYSTEM_FLAGS)
                return [kind, name, {} if name == "LAMBDA" and "asyncComplete" in flags else flags]
            case "wait":
                return [kind, random.choice([0, 4, 40, 900])]
            case "set":
                return [kind, random.randint(0, 9)]
        return [kind]

    def _harsh(self, kind: str) -> Shape:
        match kind:
            case "broken":
                return [kind, self._random.choice(("dynamic", "switch", "loop", "join"))]
            case "heavy":
                return [kind, self._random.choice(("task", "child", "output")), self._random.choice(_FLAGS[3:6])]
            case "end":
                return [kind, self._random.choice(("COMPLETED", "FAILED", "TERMINATED"))]
        return [kind]

    def _container(self, kind: str, depth: int) -> Shape:
        random = self._random
        match kind:
            case "switch" | "script" | "decision":
                return [kind, self.sequence(depth), self.sequence(depth, 2) if random.random() < 0.7 else []]
            case "fork":
                return [kind, [self.sequence(depth) for _ in range(random.randint(2, 3))], random.randint(0, 5)]
            case "same":
                return [kind, random.choice(PATIENT), random.randint(0, 4), random.choice(({}, {}, {"optional": True}))]
            case "legacy":
                return [kind, random.choice(PATIENT), random.randint(0, 3)]
            case "kids":
                return [kind, self.sequence(depth + 1, 2), random.randint(0, 3)]
            case "listed":
                return [kind, [self._single(depth) for _ in range(random.randint(0, 3))]]
            case "loop":
                return [kind, self.sequence(depth, 2), random.randint(1, 4), random.choice((0, 0, 1, 2))]
            case "items":
                return [kind, self.sequence(depth, 2), random.randint(0, 3)]
            case "child":
                flags = random.choice([*_FLAGS, {"retryCount": 1}])
                end = random.choice(("", "", "", "FAILED", "TERMINATED"))
                return [kind, self.sequence(depth), random.random() < 0.5, end, flags]
        return [kind, self.sequence(depth, 2)]

    def _single(self, depth: int) -> Shape:
        """Return a step that stands for itself: what a dynamic fork may open as a branch."""
        kind = self._random.choice(("work", "work", "wait", "noop", "switch", "loop", "child"))
        return self._leaf(kind) if kind in _LEAVES else self._container(kind, depth + 1)


def kinds(shapes: list[Shape]) -> set[str]:
    """Return the kinds of all steps, nested ones too, and the workers that they name."""
    found: set[str] = set()
    for kind, *parts in shapes:
        found.add(kind)
        found |= {part for part in parts[:1] if isinstance(part, str)}
        for lists in map(_lists, parts):
            for inner in lists:
                found |= kinds(inner)
    return found


def _lists(part: Any) -> list[list[Shape]]:
    """Return the lists of shapes that a part of a shape is, or holds."""
    if not (isinstance(part, list) and part and isinstance(part[0], list)):
        return []
    return part if part[0] and isinstance(part[0][0], list) else [part]


def smaller(shapes: list[Shape]) -> list[list[Shape]]:
    """Return every way of leaving out one shape, or of putting a container's content in its place."""
    found = [[*shapes[:at], *shapes[at + 1 :]] for at in range(len(shapes))]
    for at, shape in enumerate(shapes):
        for part, value in enumerate(shape[1:], 1):
            lists = _lists(value)
            found += [[*shapes[:at], *inner, *shapes[at + 1 :]] for inner in lists]
            if lists == [value]:
                found += [
                    [*shapes[:at], [*shape[:part], less, *shape[part + 1 :]], *shapes[at + 1 :]]
                    for less in smaller(value)
                    if less
                ]
    return [each for each in found if each]
