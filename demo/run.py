"""Runs the six workflows on a `baton dev` of its own and says whether each ended as the README promises."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from demo import cases
from demo.board import Board, print_results
from demo.follow import Track, follow, start
from demo.rest import Conductor, DemoFailed
from demo.server import DevServer
from demo.site import Site
from demo.workspace import prepare


def _told_to_stop(number: int, frame: FrameType | None) -> None:
    """Leave through the context managers, so that the server does not outlive the demo."""
    raise SystemExit(128 + number)


def run_demo(scratch: Path, seconds: float, console: Console) -> bool:
    """Run every case below ``scratch`` and tell whether all ended as they should within ``seconds``.

    Raises ``DemoFailed`` when the server does not come up, refuses a start or dies on the way.
    """
    workspace = scratch / "workspace"
    prepare(workspace)
    with Site(workspace / "public") as site, DevServer(scratch) as server:
        console.print(f"baton dev answers at {server.url}, files are served at {site.url}", highlight=False)
        conductor = Conductor(server.url)
        try:
            tracks = start(conductor, cases.load(), workspace, site.url)
            with Board(console) as board:
                follow(conductor, tracks, seconds, board.show)
        except DemoFailed:
            server.check_running()  # a dead server explains more than the call that missed it
            raise
        finally:
            conductor.close()
        print_results(console, tracks)
        return _judge(tracks, server, console)


def _judge(tracks: list[Track], server: DevServer, console: Console) -> bool:
    astray = [track for track in tracks if track.faults()]
    if not astray:
        console.print("Every run ended as the README says.", style="green")
        return True
    for track in astray:
        for task in track.run.get("tasks", []):
            if task.get("reasonForIncompletion"):
                where = f"{track.case.name}: {task['referenceTaskName']} {task['status']}"
                console.print(f"{where}: {task['reasonForIncompletion']}", markup=False)
    console.print(f"The end of the server's log:\n{server.log_tail()}", markup=False, highlight=False)
    return False


@click.command()
@click.option("--timeout", default=180.0, show_default=True, help="Seconds in which all runs must end.")
@click.option("--keep", is_flag=True, help="Keep the working folder and say where it is.")
def main(timeout: float, keep: bool) -> None:
    """Run the six workflows and exit with 0 only if every one ended as it should."""
    signal.signal(signal.SIGTERM, _told_to_stop)
    console = Console()
    scratch = Path(tempfile.mkdtemp(prefix="baton-demo-"))
    try:
        well = run_demo(scratch, timeout, console)
    except DemoFailed as error:
        console.print(f"The demo failed: {error}", style="red", markup=False)
        well = False
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        if keep:
            console.print(f"The working folder is {scratch}", highlight=False)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
