"""What an operator or an API client asks of one workflow; every request is granted or refused, with the reason."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.model.payload import JsonObject

#: Argument of a retry that a parent asks of its child: the id of the task that waits for the child.
ASKED_BY: Final = "askedBy"

#: Argument of a retry that a child asks of its parent: the id of the task that has to wait for the child again.
REVIVED_TASK: Final = "revivedTask"

#: In the result of an outcome: the seq of a task that was handed out; whoever asked is shown the task beside it.
HANDED_OUT: Final = "handedOut"


class Request(Struct, frozen=True, kw_only=True):
    """One request: ``verb`` names the operation (a file in ``operations/``), ``arguments`` are its own affair."""

    event_id: str
    workflow_id: str
    verb: str
    arguments: JsonObject = {}
    #: Who asked, for the audit trail.
    by: str | None = None
    #: Whoever asks may ask again with the same id, after a crash of his own: the audit trail is looked through first.
    may_repeat: bool = False
    reply_to: str | None = None
    reply_id: str | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """The answer to a request: granted, or refused with a code clients know and a sentence people understand.

    ``code`` is the HTTP status that the REST door answers with: 200, 400, 404 or 409.
    """

    granted: bool
    code: int = 200
    message: str = ""
    result: JsonObject = {}
