"""The Celery app that carries the tasks of the six workflows: a plain app, connected to Baton in one line."""

from __future__ import annotations

import os

from celery import Celery

from workers import connect

app = Celery(
    "demo",
    broker=os.environ.get("BATON_BROKER_URL"),
    include=["demo.media", "demo.orders", "demo.pipeline", "demo.etl", "demo.onboarding", "demo.migration"],
)
connect(app, task_queues=os.environ.get("BATON_TASK_QUEUE_TYPE", "classic"))
