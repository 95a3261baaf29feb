"""The same worker for Celery's own canvas: its results go to Redis, and its tasks come from a queue of their own."""

from __future__ import annotations

import os

from benchmarks.worker import app_for

QUEUE = "canvas"

#: Where this worker finds the address of the results.
RESULTS_VARIABLE = "BENCHMARK_RESULTS_URL"

app = app_for(os.environ.get("BATON_BROKER_URL"), os.environ.get(RESULTS_VARIABLE, "rpc://"), QUEUE)
