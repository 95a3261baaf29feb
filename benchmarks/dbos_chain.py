"""``python -m benchmarks.dbos_chain``: the chain as DBOS has it; prints what came out as JSON."""

from __future__ import annotations

import argparse
import json
import os
import time

from dbos import DBOS, DBOSConfig

from benchmarks.chain import STEPS
from benchmarks.cpu import Meter


@DBOS.step()
def empty() -> None:
    """Do nothing."""


@DBOS.workflow()
def chain() -> None:
    """Do nothing ten times, and remember each."""
    for _ in range(STEPS):
        empty()


def main() -> None:
    """Run a few chains to warm up, then those that count."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--url", required=True, help="the database")
    arguments.add_argument("--workflows", type=int, required=True)
    arguments.add_argument("--database-processes", type=int, nargs="*", default=[])
    given = arguments.parse_args()
    DBOS(config=DBOSConfig(name="bench", system_database_url=given.url, log_level="ERROR", run_admin_server=False))
    DBOS.launch()
    _run(20)
    meter = Meter({"dbos": [os.getpid()], "database": given.database_processes})
    meter.start()
    began = time.perf_counter()
    _run(given.workflows)
    tasks = STEPS * given.workflows
    print(json.dumps({"rate": tasks / (time.perf_counter() - began), "cpu_ms": meter.milliseconds_for(tasks)}))
    DBOS.destroy()


def _run(count: int) -> None:
    for handle in [DBOS.start_workflow(chain) for _ in range(count)]:
        handle.get_result()


if __name__ == "__main__":
    main()
