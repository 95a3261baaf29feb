"""A layer behaves like a copy of the dictionary beneath, which stays as it is until the layer is folded in."""

from __future__ import annotations

from random import Random

import pytest

from engine.decider.layer import CountedLayer, Layer

KEYS = range(6)


@pytest.mark.parametrize("kind", [Layer, CountedLayer])
@pytest.mark.parametrize("seed", range(50))
def test_a_layer_shows_what_a_copy_would(kind: type[Layer[int, int]], seed: int) -> None:
    chance = Random(seed)
    base = {key: key for key in KEYS if chance.random() < 0.5}
    before, copy, layer = dict(base), dict(base), kind(base)
    for number in range(30):
        key = chance.choice(KEYS)
        if chance.random() < 0.5:
            copy[key] = layer[key] = number
        else:
            copy.pop(key, None)
            layer.drop(key)
        assert [layer.get(each) for each in KEYS] == [copy.get(each) for each in KEYS]
        assert [each in layer for each in KEYS] == [each in copy for each in KEYS]
        assert (sorted(layer), len(layer)) == (sorted(copy), len(copy))
    assert base == before

    layer.fold()

    assert base == copy


@pytest.mark.parametrize("kind", [Layer, CountedLayer])
def test_what_is_not_there_is_said_to_be_missing(kind: type[Layer[int, int]]) -> None:
    layer = kind({1: 1})
    layer.drop(1)
    for key in (1, 2):
        with pytest.raises(KeyError):
            layer[key]
