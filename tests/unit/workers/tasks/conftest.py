"""Lets tasks call this machine, where the tests' own services are, as ``baton dev`` does."""

from collections.abc import Iterator

import pytest

from engine.config import LOOPBACK, Settings
from engine.outgoing import network


@pytest.fixture(autouse=True)
def _loopback_is_allowed() -> Iterator[None]:
    before = list(network._chosen)
    network.use(network.rules_of(Settings(outgoing_loopback_networks=LOOPBACK)))
    yield
    network._chosen[:] = before
