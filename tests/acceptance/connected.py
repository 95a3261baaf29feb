"""A Celery app that is connected to the engine, and otherwise left as Celery makes it."""

from __future__ import annotations

import os

from celery import Celery

from workers import connect

app = Celery("connected", broker=os.environ["VANILLA_BROKER"], backend="rpc://")
app.conf.broker_connection_retry_on_startup = True


@app.task(name="add")
def add(left: float, right: float) -> dict[str, float]:
    """Return a sum."""
    return {"sum": left + right}


connect(app)
