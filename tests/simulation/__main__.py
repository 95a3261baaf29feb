"""`make simulate`: tells many stories on all cores, or one again with everything that happens in it.

python -m tests.simulation --seeds 10000 --first 0     tell many; the first failure is made smaller and shown
python -m tests.simulation --seed 4711                 tell one again, with its trace
python -m tests.simulation --replay FILE               tell one again that was made smaller
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from tests.simulation.scenario import Scenario, scenario
from tests.simulation.shrink import shrink
from tests.simulation.story import Verdict, tell

_COMMAND = "python -m tests.simulation"


def tell_seed(seed: int) -> Verdict:
    return tell(scenario(seed))


def tell_many(seeds: Iterable[int], processes: int) -> list[Verdict]:
    """Return the verdicts of these seeds, told by several processes at once."""
    if processes == 1:
        return [tell_seed(seed) for seed in seeds]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(tell_seed, seeds, chunksize=10))


def explain(seed: int) -> str:
    """Return what fails in a seed's story: the smallest story found, and how to tell it again."""
    small, verdict = shrink(scenario(seed))
    file = Path(tempfile.gettempdir()) / f"simulation-seed-{seed}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(small)))
    return "\n".join(
        [
            f"seed {seed}: {verdict.fault}",
            *(f"  started at step {root.start}: {root.name} {root.shapes} {root.end}" for root in small.roots),
            *(f"  {happening}" for happening in sorted(small.happenings, key=lambda each: each[1])),
            f"  settings {small.settings}, {'with' if small.starter else 'without'} a starter",
            f"tell it again as it was:  {_COMMAND} --seed {seed}",
            f"tell the smaller one:     {_COMMAND} --replay {file}",
        ]
    )


def _summary(verdicts: list[Verdict], seconds: float) -> str:
    crashes: Counter[str] = Counter()
    for verdict in verdicts:
        crashes.update(verdict.crashes)
    lines = [
        f"{len(verdicts)} seeds in {seconds:.0f} s: {sum(each.runs for each in verdicts)} runs, "
        f"{sum(each.steps for each in verdicts)} steps, {sum(crashes.values())} crashes, "
        f"{sum(each.recalled for each in verdicts)} events recalled, "
        f"{sum(each.conflicts for each in verdicts)} saves refused, "
        f"{sum(each.compared for each in verdicts)} outcomes compared with those of a run without faults",
        "crashes by the point on the road, and by what was kept from being sent:",
        *(f"  {key:28} {count}" for key, count in sorted(crashes.items())),
    ]
    return "\n".join(lines)


def _many(first: int, count: int, processes: int) -> int:
    begun = time.monotonic()
    verdicts = tell_many(range(first, first + count), processes)
    print(_summary(verdicts, time.monotonic() - begun))
    failed = [verdict for verdict in verdicts if verdict.fault is not None]
    for verdict in failed:
        print(f"FAILED seed {verdict.seed}: {verdict.fault}")
    if failed:
        print(explain(failed[0].seed))
    return 1 if failed else 0


def _one(told: Scenario) -> int:
    verdict = tell(told, trace=True)
    print("\n".join(verdict.trace))
    print(verdict.fault or "nothing is wrong with this story")
    return 1 if verdict.fault else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many stories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="tell this one again")
    parser.add_argument("--replay", type=Path, help="tell a story from a file again")
    given = parser.parse_args()
    if given.replay is not None:
        return _one(msgspec.json.decode(given.replay.read_bytes(), type=Scenario))
    if given.seed is not None:
        return _one(scenario(given.seed))
    return _many(given.first, given.seeds, given.processes)


if __name__ == "__main__":
    sys.exit(main())
