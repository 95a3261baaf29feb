"""What Celery's own log says about tasks, without their payloads: these may be secret, and are noise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

#: Where Celery says "Task … succeeded in …s: <result>", at INFO.
_TRACER: Final = "celery.app.trace"
#: Where it shows the arguments of tasks, at DEBUG.
_POOL: Final = "celery.pool"


class _WithoutResult(logging.Filter):
    """Makes the line about a success a short one, for whoever looks for a fault."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See ``logging.Filter``."""
        about = record.args
        if not isinstance(about, Mapping) or "return_value" not in about:
            return True
        record.msg = "Task %(name)s[%(id)s] succeeded in %(runtime)ss"
        record.args = {key: about.get(key) for key in ("name", "id", "runtime")}
        record.data = record.args
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


#: One for the process: a logger takes the same filter only once.
_FILTER: Final = _WithoutResult()


def leave_out_payloads() -> None:
    """Keep results and arguments of tasks out of this process's log, and out of its children's."""
    logging.getLogger(_TRACER).addFilter(_FILTER)
    logging.getLogger(_POOL).setLevel(logging.INFO)
