"""``python -m tests.comparison``: prints where the two servers differ, and ends with 1 when they do."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.comparison import __doc__ as about
from tests.comparison.author import workflow
from tests.comparison.difference import differences
from tests.comparison.server import Server

#: Runs that are under way at the same time, on each side.
_AT_A_TIME = 8


def main() -> int:
    """Run the workflows on both servers and tell what differs."""
    given = _arguments().parse_args()
    prefix = f"comparison_{given.prefix}_"
    theirs, ours = (Server(url, prefix) for url in (given.conductor, given.baton))
    theirs.prepare()
    ours.prepare()
    definitions = [workflow(prefix, seed) for seed in range(given.seed, given.seed + given.runs)]

    def pair(definition: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return theirs.run(definition, given.seconds), ours.run(definition, given.seconds)

    with theirs.at_work(), ours.at_work(), ThreadPoolExecutor(_AT_A_TIME) as pool:
        same = sum(
            _told(definition, *runs) for definition, runs in zip(definitions, pool.map(pair, definitions), strict=True)
        )
    print(f"{same} of {given.runs} workflows came to the same on both (what Conductor says stands first).")
    return 0 if same == given.runs else 1


def _told(definition: dict[str, Any], theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    found = differences(theirs, ours)
    if found:
        print("\n  ".join([f"{definition['name']}, {len(definition['tasks'])} steps:", *found]))
    return not found


def _arguments() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="python -m tests.comparison", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("conductor", help="Conductor's server")
    arguments.add_argument("baton", help="Baton's")
    arguments.add_argument("--runs", type=int, default=40, help="how many workflows")
    arguments.add_argument("--seed", type=int, default=1, help="the number of the first")
    arguments.add_argument(
        "--prefix", default="a", help="begins all names; a new one where definitions are there already"
    )
    arguments.add_argument("--seconds", type=float, default=120.0, help="how long a run may take")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
