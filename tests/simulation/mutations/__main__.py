"""`make mutations`: breaks a copy of the engine in one way after the other; some story has to notice each of them.

python -m tests.simulation.mutations                      the whole table
python -m tests.simulation.mutations --only "join"        those with this text in their name
python -m tests.simulation.mutations --markdown FILE      write the table into a file too
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.simulation.mutations.catalogue import MUTATIONS
from tests.simulation.mutations.mutation import Mutation, apply, copy_source
from tests.simulation.mutations.trial import Catch

#: Seconds for which one mutation is looked at: beyond them it hangs in a way that no story can notice.
_MOST_SECONDS = 1_200


def try_one(mutation: Mutation, most_seeds: int) -> Catch:
    """Return the first story that fails with a copy of the engine that is broken this way."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        copy_source(folder)
        apply(mutation, folder)
        program = "import engine, runpy, sys; assert engine.__file__.startswith(sys.argv[1]), engine.__file__; "
        program += (
            "sys.argv = ['trial', sys.argv[2]]; runpy.run_module('tests.simulation.mutations.trial', None, '__main__')"
        )
        told = subprocess.run(
            [sys.executable, "-c", program, str(folder.resolve()), str(most_seeds)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": "0"},
            capture_output=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
    if told.returncode:
        raise RuntimeError(f"mutation {mutation.name!r} cannot be tried:\n{told.stderr.decode()}")
    found = msgspec.json.decode(told.stdout, type=Catch)
    print(f"{mutation.name}: {found.rule or 'survives'}, {found.told} stories", file=sys.stderr, flush=True)
    return found


def table(caught: list[tuple[Mutation, Catch]]) -> str:
    """Return the mutations, and how each was noticed, as Markdown."""
    lines = ["| mutation | place | caught by | seed | stories told |", "|---|---|---|---:|---:|"]
    for mutation, catch in caught:
        noticed = f"{catch.rule} | {catch.seed}" if catch.seed is not None else "**nothing: it survives** | –"
        lines.append(f"| {mutation.name} | `{mutation.place}` | {noticed} | {catch.told:,} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.mutations",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--seeds", type=int, default=3_000, help="stories told at most for each mutation, beside the directed ones"
    )
    parser.add_argument("--only", default="", help="only mutations with this text in their name")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--markdown", type=Path, help="write the table into this file too")
    given = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if given.only in mutation.name]
    for each in chosen:
        each.mutated()
    begun = time.monotonic()
    with ThreadPoolExecutor(given.processes) as pool:
        caught = list(zip(chosen, pool.map(lambda each: try_one(each, given.seeds), chosen), strict=True))
    survivors = [mutation.name for mutation, catch in caught if catch.seed is None]
    verdict = f"{len(chosen) - len(survivors)} of {len(chosen)} mutations caught in {time.monotonic() - begun:.0f} s"
    report = f"{table(caught)}\n\n{verdict}"
    print(report)
    if given.markdown is not None:
        given.markdown.write_text(report + "\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
