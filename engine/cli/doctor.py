"""``baton doctor``: checks database, broker, queues and workers, and says what to do about each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.failure import FAULT, OK
from engine.cli.options import output_option
from engine.cli.output import print_json

if TYPE_CHECKING:
    from engine.services.finding import Finding

_MARKS = {"ok": ("✔", "green"), "warning": ("!", "yellow"), "fault": ("✘", "red")}


@click.command()
@click.option(
    "--timeout", type=click.FloatRange(0.1, 60), default=2.0, show_default=True, help="Seconds to wait for workers."
)
@output_option
@click.pass_context
def doctor(context: click.Context, timeout: float, output: str) -> None:
    """Check settings, database, broker, queues and workers; exits 1 when something is at fault.

    Talks to database and broker itself, so run it where the processes run.
    """
    from engine.services.checkup import examine

    findings = list(examine(timeout))
    if output == "json":
        print_json({"findings": [finding.shown() for finding in findings]})
    else:
        for finding in findings:
            _print(finding)
    context.exit(FAULT if any(finding.state == "fault" for finding in findings) else OK)


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    click.echo(f"{click.style(mark, fg=colour)} {finding.subject}: {finding.what}")
    if finding.remedy:
        click.echo(f"    Next: {finding.remedy}")
