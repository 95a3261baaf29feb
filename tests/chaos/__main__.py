"""Runs the chaos for some minutes and tells what came of it: `python -m tests.chaos --help`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.chaos.faults import FAULTS
from tests.chaos.run import WHOLE, Chaos

SECONDS = f"how long faults are injected (180); from {WHOLE:g} on, until each kind has come"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help=SECONDS)
    parser.add_argument("--seed", type=int, default=None, help="which faults, in which order (a random one)")
    parser.add_argument("--rate", type=float, default=8.0, help="workflows started each second (8)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument(
        "--kind", action="append", choices=FAULTS, help="only faults of this kind, and of others named so"
    )
    options = parser.parse_args()
    seed = random.randrange(10_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="baton-chaos-logs-"))
    console = Console(soft_wrap=True)
    console.print(f"seed {seed}; logs in {folder}", highlight=False)
    began = time.monotonic()
    report = Chaos(folder, seed, options.seconds, options.rate, console, options.kind or tuple(FAULTS)).run()
    report.show(console)
    if options.markdown:
        options.markdown.write_text(report.markdown())
    faults = report.faults()
    verdict = f"NOT GOOD, see {folder}: {'; '.join(faults)}" if faults else "good"
    console.print(f"took {time.monotonic() - began:.0f} s; {verdict}", highlight=False)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
