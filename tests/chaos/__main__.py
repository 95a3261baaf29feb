"""Runs the chaos for some minutes and tells what came of it: `python -m tests.chaos --help`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.chaos.run import Chaos


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long faults are injected (180)")
    parser.add_argument("--seed", type=int, default=None, help="which faults, in which order (a random one)")
    parser.add_argument("--rate", type=float, default=8.0, help="workflows started each second (8)")
    options = parser.parse_args()
    seed = random.randrange(10_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="baton-chaos-logs-"))
    console = Console(soft_wrap=True)
    console.print(f"seed {seed}; logs in {folder}", highlight=False)
    began = time.monotonic()
    report = Chaos(folder, seed, options.seconds, options.rate, console).run()
    report.show(console)
    console.print(f"took {time.monotonic() - began:.0f} s; {'good' if report.good else f'NOT GOOD, see {folder}'}")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
