"""What loops gather: weighed once, written when the loop ends, and told by the rows of the iterations until then."""

from __future__ import annotations

import random
from collections.abc import ValuesView

from engine.expression.budget import weigh
from engine.model.payload import Json
from engine.tasks.gathered import Gathered, weight_of

LIMIT = 1_000_000


class Looked(dict[str, Json]):
    """An iteration's output that counts how often it was looked into."""

    times = 0

    def values(self) -> ValuesView[Json]:
        Looked.times += 1
        return super().values()


def test_an_iteration_has_only_its_own_output_weighed():
    output, Looked.times = Gathered({}, {}), 0
    for number in range(1, 101):
        output = output.with_part(number, Looked(body={"n": number}), 0, LIMIT).put({"iteration": number})
        assert weight_of(output, LIMIT) == weigh(output, LIMIT)
    # Once by what is gathered, and by the whole weighing that it was compared with, which looks at all every time.
    assert Looked.times == 100 + sum(range(1, 101))


def test_what_is_replaced_or_not_kept_weighs_nothing_any_more():
    chance = random.Random(7)
    output = Gathered({"iteration": 1, "2": {"b": {}}}, {"iteration": 1})
    for _ in range(500):
        number, keep = chance.randrange(40), chance.choice([0, 1, 5])
        part = {"b": ["x" * chance.randrange(50), {"n": number}]}
        output = output.with_part(number, part, keep, LIMIT).put({"iteration": number, "loopItem": "y" * number})
        assert weight_of(output, LIMIT) == weigh(output, LIMIT)
        assert not keep or str(number - keep) not in output


def test_an_output_that_grows_beyond_the_limit_is_seen_at_once():
    output = Gathered({}, {}).with_part(1, {"b": "x" * 40}, 0, 100)
    assert weight_of(output, 100) <= 100
    assert weight_of(output.with_part(2, {"b": "x" * 40}, 0, 100), 100) > 100


def test_one_more_part_changes_nothing_of_what_was_there():
    before = Gathered({}, {}).with_part(1, {"b": 1}, 0, LIMIT).put({"iteration": 2, "loopItem": "x"})
    before.with_part(2, {"b": 2}, 1, LIMIT).put({"iteration": 3})
    assert before == {"1": {"b": 1}, "iteration": 2, "loopItem": "x"}
