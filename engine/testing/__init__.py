"""What people import to test a workflow: rehearsals with mocked tasks, and a whole engine in memory with its own clock.

from engine.testing import failed, rehearse

outcome = rehearse(order, {"lines": []}, {"price": {"total": 3}, "payment": [failed("no money"), {"paid": 3}]})
assert outcome.status == "COMPLETED"
"""

from engine.testing.clock import START, FixedClock
from engine.testing.definitions import Definition
from engine.testing.harness import Harness, TerminalFailure, Worker
from engine.testing.memory_store import MemoryStore
from engine.testing.mocks import Answer, Mocks, failed
from engine.testing.rehearsal import Rehearsal, rehearse

__all__ = [
    "START",
    "Answer",
    "Definition",
    "FixedClock",
    "Harness",
    "MemoryStore",
    "Mocks",
    "Rehearsal",
    "TerminalFailure",
    "Worker",
    "failed",
    "rehearse",
]
