"""Deciders look for garbage that holds itself seldom, and still do."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from engine.services.sweeping import sweep_seldom


class Held:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_holds_itself_goes_though_it_is_looked_for_seldom() -> None:
    before = gc.get_threshold()
    sweep_seldom()
    assert gc.isenabled()
    assert gc.get_threshold()[0] > before[0]

    gone = weakref.ref(Held())
    kept = [[] for _ in range(10 * gc.get_threshold()[0])]

    assert kept
    assert gone() is None
