"""``baton workflow rehearse``: runs a definition with mocked tasks, without a server, workers or waiting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.failure import FAULT, USAGE, Failure, code_of_run
from engine.cli.json_input import read_object
from engine.cli.options import output_option
from engine.cli.output import duration, print_json
from engine.errors import BatonError, NotFound

if TYPE_CHECKING:
    from engine.services.definition_files import Written
    from engine.testing import Rehearsal

_PATH = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--input", "given", metavar="JSON", help="The input: a file, - for standard input, or '{…}' itself.")
@click.option("--mocks", metavar="JSON", help="What tasks answer, by reference name: a file, or '{…}' itself.")
@click.option("--with", "others", type=_PATH, multiple=True, help="Further definitions: of tasks and sub-workflows.")
@click.option("--name", help="Which workflow, where FILE has several.")
@output_option
@click.pass_context
def rehearse(
    context: click.Context,
    file: Path,
    given: str | None,
    mocks: str | None,
    others: tuple[Path, ...],
    name: str | None,
    output: str,
) -> None:
    """Run the workflow in FILE (JSON or Python) with mocked tasks; waits and retry delays take no time.

    MOCKS is an object: {"price": {"total": 3}} answers every attempt of the task 'price' with this output, a list has a
    mock for each attempt: {"pay": [{"status": "FAILED"}, {"output": {}}]}. Tasks of a sub-workflow are "child/task".
    Exits as 'watch' does, and with 1 when a mock is missing.
    """
    from engine import log
    from engine.testing.mocks import read_script
    from engine.testing.rehearsal import rehearse as play

    log.configure("error", "text")
    definition, beside = _found(file, others, name)
    inputs, answers = read_object(given, "--input"), read_object(mocks, "--mocks")
    try:
        played = play(definition, inputs, read_script(answers, "--mocks"), definitions=beside)
    except BatonError as error:
        raise Failure(str(error), code=USAGE) from None
    _tell(played, output)
    code = code_of_run(played.status)
    context.exit(FAULT if code is None else code)


def _found(file: Path, others: tuple[Path, ...], name: str | None) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Return the workflow to rehearse, and all other definitions."""
    from engine.services.definition_files import find

    try:
        found, mistakes = find([file])
        beside, more = find(others) if others else ([], [])
    except NotFound as error:
        raise Failure(str(error), code=USAGE) from None
    if mistakes or more:
        raise Failure("\n".join(map(str, [*mistakes, *more])), code=USAGE)
    chosen = [each for each in found if each.kind == "workflow" and name in (None, each.name)]
    if len(chosen) != 1:
        known = ", ".join(each.name for each in found if each.kind == "workflow") or "none"
        raise Failure(f"{file} holds these workflows: {known}.", code=USAGE, hint="Say which one with --name.")
    rest: list[Written] = [each for each in (*found, *beside) if each is not chosen[0]]
    return chosen[0].document, [each.document for each in rest]


def _tell(played: Rehearsal, output: str) -> None:
    from engine.api.runs import run_json

    run = run_json(played.harness.store, played.workflow_id, include_tasks=True)
    if output == "json":
        print_json({**run, "stopped": played.stopped})
        return
    from engine.cli.board import draw
    from engine.cli.output import console

    console().print(draw(run, {}))
    click.echo(f"Simulated time: {duration(played.seconds)}")
    if played.stopped is not None:
        click.echo(f"Stopped: {played.stopped}")
    if run["output"]:
        click.echo("Output:")
        print_json(run["output"])
