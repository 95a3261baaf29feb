"""``baton rescue``: lets every open workflow go on after the broker or the database has lost data."""

from __future__ import annotations

import click

from engine.cli.failure import USAGE, Failure
from engine.cli.options import output_option
from engine.cli.output import print_json
from engine.errors import BadConfiguration


@click.command()
@click.option(
    "--workers-lost",
    is_flag=True,
    help="Send also the tasks that a worker had begun: none of the workers of before will answer.",
)
@output_option
def rescue(workers_lost: bool, output: str) -> None:
    """Ask every open workflow to send again what may have been lost.

    Timekeepers do so by themselves when the broker has lost its data. Run it after the database was restored from a
    backup, with an empty broker and before the other processes start. Talks to database and broker itself.
    """
    from engine.config import load
    from engine.log import configure
    from engine.services.rescuer import rescue_all

    try:
        settings = load()
    except BadConfiguration as error:
        raise Failure(str(error), code=USAGE, hint="Mend the variables, in the environment or in .env.") from None
    configure("warning", settings.log_format)
    count = rescue_all(settings, workers_lost=workers_lost)
    if output == "json":
        print_json({"rescued": count})
        return
    click.echo(f"{count:,} workflows were asked to go on." if count else "No workflow is open.")
