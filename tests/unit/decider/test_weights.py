"""What a loop has gathered is weighed once, however many iterations follow."""

from __future__ import annotations

import random
from collections.abc import ValuesView

from engine.decider.weights import Weights
from engine.expression.budget import weigh
from engine.model.payload import Json

LIMIT = 1_000_000


class Looked(dict[str, Json]):
    """An iteration's output that counts how often it was looked into."""

    times = 0

    def values(self) -> ValuesView[Json]:
        Looked.times += 1
        return super().values()


def test_an_iteration_has_only_its_own_output_weighed() -> None:
    weights, output, Looked.times = Weights(), {}, 0
    for number in range(1, 101):
        output = {**output, "iteration": number, str(number): Looked(body={"n": number})}
        assert weights.weigh(7, output, LIMIT) == weigh(output, LIMIT)
    # Once by the loop's weights, and by the whole weighing that it was compared with, which looks at all every time.
    assert Looked.times == 100 + sum(range(1, 101))


def test_what_is_replaced_or_taken_out_weighs_nothing_any_more() -> None:
    chance, weights = random.Random(7), Weights()
    output: dict[str, Json] = {}
    for number in range(500):
        changed = dict(output)
        for key in chance.sample(sorted(changed), min(len(changed), chance.randrange(3))):
            changed.pop(key)
        changed[str(chance.randrange(40))] = ["x" * chance.randrange(50), {"n": number}]
        output = changed
        assert weights.weigh(1, output, LIMIT) == weigh(output, LIMIT)


def test_an_output_that_grows_beyond_the_limit_is_seen_at_once() -> None:
    weights = Weights()
    assert weights.weigh(1, {"1": "x" * 50}, 100) <= 100
    assert weights.weigh(1, {"1": "x" * 50, "2": "x" * 50}, 100) > 100
