"""One tree of errors; each says what happened, to what, and whether trying again can help.

BatonError
 +-- Transient            the same call may succeed later
 |    +-- StoreUnavailable
 |    +-- BrokerUnavailable
 +-- Permanent            the same call will fail again
      +-- Unstorable          what the database cannot keep: too large, too long
      +-- BadConfiguration    settings that cannot work; names every fault at once
      +-- SchemaTooNew        the database's tables are those of a newer version
      +-- BadDefinition       a workflow or task definition with its list of faults
      +-- BadMessage          a message that cannot be understood: goes to the dead letters
      +-- BadExpression       a script or path that cannot be evaluated
      |    +-- ScriptLimitExceeded  it ran into its time or memory limit
      +-- Deadly              a message that processes have died of
      +-- NotFound            no such workflow, task, definition or dead letter
      |    +-- PayloadLost         what was kept outside of its row is gone
      +-- Refused             the request does not fit the present state (a conflict)
"""

from __future__ import annotations

from collections.abc import Sequence


class BatonError(Exception):
    """Anything that Baton itself reports as wrong."""


class Transient(BatonError):
    """The same call may succeed later: wait with back-off and try again."""


class Permanent(BatonError):
    """The same call will fail again: report it, do not repeat it."""


class StoreUnavailable(Transient):
    """The database cannot be reached, or dropped the connection in mid-transaction."""


class BrokerUnavailable(Transient):
    """The message broker cannot be reached, or dropped the connection before confirming."""


class BadConfiguration(Permanent):
    """Settings that cannot work.

    ``faults`` holds one sentence for each wrong setting, so that all can be mended at once.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("The configuration cannot work:\n  " + "\n  ".join(self.faults))


class Unstorable(Permanent):
    """What the database cannot keep: larger than the statements it takes, longer than a column; the text says which."""


class SchemaTooNew(Permanent):
    """A newer version has taken away tables or columns that this one may need: it must not work on them."""


#: Characters of a fault's path and of its text: both may quote what somebody wrote.
_LONGEST_PART = 1_000


class Fault(str):
    """One mistake in a definition: ``path`` is where (JSON path), the string itself is what and how to mend it."""

    path: str

    def __new__(cls, path: str, what: str) -> Fault:
        """Build the fault so that it reads ``path: what``; what is quoted at length is cut."""
        path, what = path[:_LONGEST_PART], what[:_LONGEST_PART]
        fault = super().__new__(cls, f"{path}: {what}")
        fault.path = path
        return fault


class BadDefinition(Permanent):
    """A definition with mistakes; ``faults`` lists all of them, each with its JSON path."""

    def __init__(self, subject: str, faults: Sequence[Fault]) -> None:
        self.subject = subject
        self.faults = tuple(faults)
        count = "1 mistake" if len(self.faults) == 1 else f"{len(self.faults)} mistakes"
        super().__init__(f"{subject} has {count}:\n  " + "\n  ".join(self.faults))


class BadMessage(Permanent):
    """A message that cannot be understood; the text is the reason shown with the dead letter."""


class BadExpression(Permanent):
    """A script, path or template that cannot be evaluated; the text names the expression and the cause."""


class ScriptLimitExceeded(BadExpression):
    """A script that ran into its limit of time or memory; the text says which."""


class Deadly(Permanent):
    """A message that made one process after the other die: it is set aside, and its run is ended with the reason."""


class NotFound(Permanent):
    """Nothing of that name or id exists."""


class PayloadLost(NotFound):
    """What a run has kept outside of its rows cannot be had any more: it can only be ended."""


class Refused(Permanent):
    """The request does not fit the present state; the text says which state and what is possible instead."""
