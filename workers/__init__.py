"""What a Celery app needs to work for Baton: ``connect`` it, and raise ``TerminalError`` where no retry can help."""

from workers.app import connect
from workers.failure import TaskFailure, TerminalError

__all__ = ["TaskFailure", "TerminalError", "connect"]
