"""What evaluating expressions may cost, counted in steps and characters: the same on every machine, unlike time.

Expressions are evaluated inside the decider, where nothing interrupts them. A step is one value looked at, about a
tenth of a microsecond; a character is one of the value that comes out, written as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.errors import BadExpression
from engine.model.payload import Json

#: Steps of one value with all its expressions: some 50 ms, and no path that we know takes three times as long.
MOST_STEPS: Final = 500_000

#: Characters of what comes out, where no other limit is given.
MOST_CHARACTERS: Final = 10 * 1024 * 1024

#: Characters of a text that are compared in the time of a step.
_CHARACTERS_PER_STEP: Final = 64

#: Steps of a comparison, however small what is compared.
_COMPARISON: Final = 6

#: What holds nothing else; asking this first is several times faster than asking whether something is a mapping.
SCALARS: Final = frozenset({str, int, float, bool, type(None)})


class Budget:
    """Counts the cost of evaluating one value, and ends it when it costs too much.

    All methods that count raise ``BadExpression`` once a limit is passed.
    """

    __slots__ = ("_most_characters", "_most_steps", "_texts", "characters", "steps")

    def __init__(self, most_characters: int = MOST_CHARACTERS, most_steps: int = MOST_STEPS) -> None:
        self._most_characters = most_characters
        self._most_steps = most_steps
        #: Characters of texts that have been put together.
        self._texts = 0
        #: Steps taken so far.
        self.steps = 0
        #: Characters of the values weighed so far.
        self.characters = 0

    @property
    def left(self) -> int:
        """How many steps may still be taken; never below 0."""
        return max(self._most_steps - self.steps, 0)

    def spend(self, steps: int) -> None:
        """Count steps."""
        self.steps += steps
        if self.steps > self._most_steps:
            raise BadExpression(
                f"Evaluating the expressions takes more than {self._most_steps:,} steps: make their paths more "
                "specific, or do this in an INLINE or JSON_JQ_TRANSFORM task."
            )

    def spend_on(self, value: Json) -> None:
        """Count the steps of comparing ``value``: its texts by their length, lists and maps with all in them."""
        if isinstance(value, str):
            self.spend(_COMPARISON + len(value) // _CHARACTERS_PER_STEP)
            return
        self.spend(_COMPARISON)
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                self.spend(1 + len(item) // _CHARACTERS_PER_STEP)
            elif type(item) not in SCALARS:
                inner = item.values() if isinstance(item, Mapping) else item if isinstance(item, list | tuple) else ()
                self.spend(1 + len(inner))
                waiting.extend(inner)

    def join(self, text: str) -> str:
        """Return ``text``, which is about to become part of a longer one, and count its characters."""
        self._texts += len(text)
        if self._texts > self._most_characters:
            self._too_large()
        return text

    def weigh(self, value: Json) -> None:
        """Make sure that ``value`` stays within the limit of characters when it is written as JSON.

        Values are shared, not copied: one that holds another twice, which holds a third twice, is small in memory
        and has no end once it is written. So this looks no further than the limit.
        """
        weight = weigh(value, self._most_characters)
        self.characters += weight
        if weight > self._most_characters:
            self._too_large()

    def _too_large(self) -> None:
        raise BadExpression(
            f"What the expressions make has more than {self._most_characters:,} characters: put large data into a "
            "file or database and pass its address on."
        )


def outweighs(value: Json, limit: int) -> bool:
    """Return whether ``value`` has more than ``limit`` characters as JSON."""
    return weigh(value, limit) > limit


def weigh(value: Json, limit: int) -> int:
    """Return how many characters ``value`` has as JSON; beyond ``limit`` just some number above it.

    Takes time for so many at most, however often parts of the value hold each other.
    """
    characters = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str:
            characters += len(item) + 3
        elif kind in SCALARS:
            characters += 2
        elif kind is dict or isinstance(item, Mapping):
            characters += 2 + sum(map(len, item)) + 4 * len(item)
            if characters <= limit:
                waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            characters += 2 + len(item)
            if characters <= limit:
                waiting.extend(item)
        if characters > limit:
            break
    return characters
