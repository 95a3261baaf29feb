"""The rules that no story may break, by the names under which a broken one is reported."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """I1 to I8 are the invariants of ``docs/architecture/overview.md``; the others are what follows from them."""

    I1 = "I1: acked only once it is stored and confirmed"
    I2 = "I2: applied once"
    I3 = "I3: saved over the version it was made from"
    I4 = "I4: what runs is moved by something"
    I5 = "I5: what nobody can read is among the dead letters"
    I6 = "I6: a fault ends one run and nothing else"
    I7 = "I7: a task ends once, as a worker has said"
    I8 = "I8: what has ended leaves nothing open"
    STATES = "states follow the tables, attempts the definition"
    DATES = "nothing is handed out before its time"
    LIMITS = "no more is out than the limit allows"
    MEMORY = "what is in memory is what is stored"
    OPERATOR = "what was granted is done"
    ANSWER = "an answer says how things stand"
    SCHEDULE = "each date of a schedule has its run"
    SHARES = "a partition is taken from by whoever holds it"
    OUTCOME = "the outcome is what the definition says"
    END = "every story comes to its end"
    NO_ERROR = "no process dies of an error"


class Violated(BaseException):
    """Something has happened that must never happen; no handler of the engine may catch it."""

    def __init__(self, rule: Rule, what: str) -> None:
        super().__init__(what)
        self.rule = rule


def expect(holds: bool, rule: Rule, what: str) -> None:
    """Raise Violated unless it holds."""
    if not holds:
        raise Violated(rule, what)
