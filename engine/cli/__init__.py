"""The terminal door: ``baton``, a thin client of the HTTP door and the starter of every process.

Every command's module is imported only when the command is called, and heavy libraries only where they are used:
the command line must be up in 150 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

import engine
from engine.cli.failure import FAULT, INTERRUPTED, OK, UNREACHABLE, USAGE, Failure, complain
from engine.cli.lazy import LazyGroup
from engine.cli.options import Chosen
from engine.errors import BadConfiguration, BatonError, Transient

_COMMANDS = {
    "dev": ("engine.cli.services:dev", "Run everything in this one process: no server to install."),
    "server": ("engine.cli.services:server", "Run the HTTP server."),
    "decider": ("engine.cli.services:decider", "Run a decider: it moves workflows on."),
    "starter": ("engine.cli.services:starter", "Run a starter: it takes start messages only."),
    "timekeeper": ("engine.cli.services:timekeeper", "Run a timekeeper: it wakes what is due."),
    "listener": ("engine.cli.services:listener", "Run a listener: it reads the queues of event handlers."),
    "notifier": ("engine.cli.services:notifier", "Run a notifier: it brings word to those who listen."),
    "worker": ("engine.cli.services:worker", "Run system workers, or any program as a worker."),
    "migrate": ("engine.cli.services:migrate", "Bring the database's tables up to date."),
    "definition": ("engine.cli.definition:definition", "Register and look at definitions."),
    "schema": ("engine.cli.schema:schema", "Schemas: what inputs and outputs must be like."),
    "webhook": ("engine.cli.webhook:webhook", "Webhooks: addresses at which other services tell of events."),
    "event": ("engine.cli.event:event", "Event handlers: what is done when a message arrives."),
    "workflow": ("engine.cli.workflow:workflow", "Start, watch and steer workflows."),
    "task": ("engine.cli.task:task", "Look at tasks, find them, and report on them."),
    "bulk": ("engine.cli.bulk:bulk", "Pause, retry, terminate … many workflows at once."),
    "queue": ("engine.cli.queue:queue", "Task queues: how much waits, and who polls."),
    "schedule": ("engine.cli.schedule:schedule", "Start workflows by the clock."),
    "rescue": ("engine.cli.rescue:rescue", "Let every open workflow go on after a loss of data."),
    "dead": ("engine.cli.dead:dead", "Look at messages that could not be understood."),
    "notice": ("engine.cli.notice:notice", "Look at notices that their sinks have not taken."),
    "profile": ("engine.cli.profile:profile", "Servers by name."),
    "doctor": ("engine.cli.doctor:doctor", "Check database, broker and workers, and say what to do."),
}


_FIRST_STEPS = """\b
First steps:
  baton dev                                 start everything on this machine
  baton definition apply my-workflow.json   register a workflow
  baton workflow start my-workflow --watch  run it
"""


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    epilog=_FIRST_STEPS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(engine.__version__, prog_name="baton")
@click.option("--server", metavar="URL", help="Where the server is, for whatever command follows.")
@click.option("--profile", metavar="NAME", envvar="BATON_PROFILE", show_envvar=True, help="The server of this name.")
@click.pass_context
def baton(context: click.Context, server: str | None, profile: str | None) -> None:
    """Baton runs workflows written as JSON; the work is done by Celery workers."""
    context.obj = Chosen(server, profile)


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is told in a sentence, never as a stack trace."""
    try:
        code = baton.main(arguments, prog_name="baton", standalone_mode=False)
    except Failure as failure:
        failure.show()
        return failure.code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped.", err=True)
        return INTERRUPTED
    except BatonError as error:
        click.echo(f"Error: {error}", err=True)
        return UNREACHABLE if isinstance(error, Transient) else USAGE if isinstance(error, BadConfiguration) else FAULT
    except BrokenPipeError:
        # The reader of our output has gone, as in `baton … | head`; nobody is left to tell.
        sys.stdout = None
        return OK
    except Exception as error:  # a fault of ours: the user gets a sentence and where the trace is, not the trace
        return complain(error)
    return code if isinstance(code, int) else OK
