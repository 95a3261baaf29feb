"""`make simulate`: tells many stories on all cores, or one again with everything that happens in it.

python -m tests.simulation --seeds 10000 --first 0     tell many; the first failure is made smaller and shown
python -m tests.simulation --seed=4711                 tell one again, with its trace
python -m tests.simulation --replay FILE               tell one again that was made smaller
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from tests.simulation.account import Account, Kind
from tests.simulation.directed import DIRECTED, story_of
from tests.simulation.scenario import POINTS, Scenario
from tests.simulation.shrink import shrink
from tests.simulation.story import Verdict, tell

_COMMAND = "python -m tests.simulation"


def tell_seed(seed: int) -> Verdict:
    return tell(story_of(seed))


def tell_many(seeds: Iterable[int], processes: int) -> list[Verdict]:
    """Return the verdicts of these seeds, told by several processes at once."""
    if processes == 1:
        return [tell_seed(seed) for seed in seeds]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(tell_seed, seeds, chunksize=10))


def explain(seed: int) -> str:
    """Return what fails in a seed's story: the smallest story found, and how to tell it again."""
    small, verdict = shrink(story_of(seed))
    file = Path(tempfile.gettempdir()) / f"simulation-seed-{seed}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(small)))
    return "\n".join(
        [
            f"seed {seed}: {verdict.rule}: {verdict.fault}",
            *(f"  started at step {root.start}: {root.name} {root.shapes} {root.end}" for root in small.roots),
            *(f"  {happening}" for happening in sorted(small.happenings, key=lambda each: each[1])),
            f"  settings {small.settings}, {'with' if small.starter else 'without'} a starter",
            f"tell it again as it was:  {_COMMAND} --seed={seed}",
            f"tell the smaller one:     {_COMMAND} --replay {file}",
        ]
    )


def _summary(verdicts: list[Verdict], seconds: float) -> str:
    account = Account()
    for verdict in verdicts:
        account.add(verdict.account)
    types = sorted(set().union(*(verdict.types for verdict in verdicts)))
    verbs = sorted(set().union(*(verdict.verbs for verdict in verdicts)))
    drawn = sum(verdict.seed >= 0 for verdict in verdicts)
    lines = [
        f"{drawn:,} seeds and {len(verdicts) - drawn} directed stories in {seconds:.0f} s: "
        f"{sum(each.runs for each in verdicts):,} runs, "
        f"{sum(each.steps for each in verdicts):,} steps, {sum(account.points.values()):,} crashes, "
        f"{sum(each.recalled for each in verdicts):,} events recalled, "
        f"{sum(each.conflicts for each in verdicts):,} saves refused, "
        f"{sum(each.compared for each in verdicts):,} outcomes compared; "
        f"{sum(each.fault is not None for each in verdicts)} failed",
        f"task types: {', '.join(types)}",
        f"operations: {', '.join(verbs)}",
        "",
        "| crashed at | times |",
        "|---|---:|",
        *(f"| {point} | {account.points.get(point, 0):,} |" for point in POINTS),
        "",
        "| crashed after the commit of an event that commanded | times | came again after newer news |",
        "|---|---:|---:|",
        *(f"| {kind} | {account.after_commit.get(kind, 0):,} | {account.overtaken.get(kind, 0):,} |" for kind in Kind),
    ]
    return "\n".join(lines)


def _many(first: int, count: int, processes: int, markdown: Path | None) -> int:
    begun = time.monotonic()
    # The directed stories come before all others.
    verdicts = tell_many(range(first or -DIRECTED, first + count), processes)
    summary = _summary(verdicts, time.monotonic() - begun)
    print(summary)
    if markdown is not None:
        markdown.write_text(summary + "\n")
    failed = [verdict for verdict in verdicts if verdict.fault is not None]
    for verdict in failed:
        print(f"FAILED seed {verdict.seed}: {verdict.rule}: {verdict.fault}")
    if failed:
        print(explain(failed[0].seed))
    return 1 if failed else 0


def _one(told: Scenario) -> int:
    verdict = tell(told, trace=True)
    print("\n".join(verdict.trace))
    print(f"{verdict.rule}: {verdict.fault}" if verdict.fault else "nothing is wrong with this story")
    return 1 if verdict.fault else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many stories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--markdown", type=Path, help="write the summary into this file too")
    parser.add_argument("--seed", type=int, help="tell this one again")
    parser.add_argument("--replay", type=Path, help="tell a story from a file again")
    given = parser.parse_args()
    if given.replay is not None:
        return _one(msgspec.json.decode(given.replay.read_bytes(), type=Scenario))
    if given.seed is not None:
        return _one(story_of(given.seed))
    return _many(given.first, given.seeds, given.processes, given.markdown)


if __name__ == "__main__":
    sys.exit(main())
