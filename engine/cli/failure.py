"""How a command ends badly: its exit code, one clear sentence, and the next step."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

import click

from engine.masking import visible

OK = 0
FAULT = 1
USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
UNREACHABLE = 6
RUN_FAILED = 10
RUN_TIMED_OUT = 11
RUN_TERMINATED = 12
INTERRUPTED = 130

#: What a command that waited for a run's end exits with, by the run's status.
_ENDS = {"COMPLETED": OK, "FAILED": RUN_FAILED, "TIMED_OUT": RUN_TIMED_OUT, "TERMINATED": RUN_TERMINATED}

#: What the server's answer makes a command exit with; the rest of 4xx is the caller's mistake.
_STATUSES = {404: NOT_FOUND, 409: CONFLICT, 502: UNREACHABLE, 503: UNREACHABLE, 504: UNREACHABLE}


class Failure(click.ClickException):
    """A command that cannot go on: a sentence, optionally what to do next, and the exit code."""

    def __init__(self, message: str, *, code: int = FAULT, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        context = click.get_current_context(silent=True)
        self._as_json = bool(context is not None and context.params.get("output") == "json")

    def show(self, file: object = None) -> None:
        """Print to standard error, as JSON where the command was asked for JSON."""
        if self._as_json:
            import json

            body = {"error": self.message, "hint": self.hint, "exitCode": self.code}
            click.echo(json.dumps({key: value for key, value in body.items() if value is not None}), err=True)
            return
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {visible(self.message)}", err=True)
        if self.hint:
            click.echo(f"{click.style('Next:', bold=True)}  {visible(self.hint)}", err=True)


def code_of_status(status: int) -> int:
    """Return the exit code for an HTTP status that is an error."""
    return _STATUSES.get(status, USAGE if status < 500 else FAULT)


def code_of_run(status: str) -> int | None:
    """Return the exit code for a run's status, None while it is open."""
    return _ENDS.get(status)


def complain(error: Exception) -> int:
    """Tell of a fault of our own without a stack trace, keep the trace in a file, and return the exit code."""
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="baton-", suffix=".log", delete=False) as file:
            file.write(trace)
        where = f"The details are in {Path(file.name)}: please report them."
    except OSError:
        where = "The details could not be written to a file."
    click.echo(f"Error: this should not have happened: {type(error).__name__}: {error}\nNext:  {where}", err=True)
    return FAULT
