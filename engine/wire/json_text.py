"""JSON that people write: what is wrong with it is told by line and column."""

from __future__ import annotations

import json

from engine.errors import BadMessage
from engine.model.payload import Json


def parse_text(text: str, subject: str) -> Json:
    """Return ``text`` as JSON; raise ``BadMessage`` that says where in ``subject`` it stops being JSON.

    NaN and Infinity are no JSON, although Python reads them.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise BadMessage(f"{subject} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
    except ValueError as error:
        raise BadMessage(f"{subject} is not JSON: {error}.") from None
    except RecursionError:
        raise BadMessage(f"{subject} is nested too deeply.") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
