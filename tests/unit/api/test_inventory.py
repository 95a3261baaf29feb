"""Every path of Conductor's REST interface is here, or it is written down that it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.polling.distributor import Distributor
from engine.testing.memory_store import MemoryStore

COMPATIBILITY = Path(__file__).parents[3] / "docs" / "compatibility.md"

#: Conductor's paths, by what they are about.
PATHS = """
POST   /api/metadata/workflow
PUT    /api/metadata/workflow
GET    /api/metadata/workflow
POST   /api/metadata/workflow/validate
GET    /api/metadata/workflow/names
GET    /api/metadata/workflow/names-and-versions
GET    /api/metadata/workflow/latest-versions
GET    /api/metadata/workflow/{}
GET    /api/metadata/workflow/{}/versions
DELETE /api/metadata/workflow/{}/{}
POST   /api/metadata/taskdefs
PUT    /api/metadata/taskdefs
GET    /api/metadata/taskdefs
GET    /api/metadata/taskdefs/{}
DELETE /api/metadata/taskdefs/{}

POST   /api/workflow
POST   /api/workflow/{}
GET    /api/workflow/{}
GET    /api/workflow/{}/status
GET    /api/workflow/{}/size
GET    /api/workflow/{}/tasks
GET    /api/workflow/{}/correlated/{}
POST   /api/workflow/{}/correlated
POST   /api/workflow/correlated/batch
GET    /api/workflow/running/{}
PUT    /api/workflow/decide/{}
PUT    /api/workflow/{}/pause
PUT    /api/workflow/{}/resume
PUT    /api/workflow/{}/skiptask/{}
POST   /api/workflow/{}/rerun
POST   /api/workflow/{}/restart
POST   /api/workflow/{}/retry
POST   /api/workflow/{}/resetcallbacks
POST   /api/workflow/{}/upgrade
POST   /api/workflow/{}/jump/{}
POST   /api/workflow/{}/variables
POST   /api/workflow/{}/messages
DELETE /api/workflow/{}
DELETE /api/workflow/{}/remove
DELETE /api/workflow/{}/terminate-remove
GET    /api/workflow/search
GET    /api/workflow/search-v2
GET    /api/workflow/search-by-tasks
GET    /api/workflow/search-by-tasks-v2
POST   /api/workflow/execute/{}/{}
POST   /api/workflow/{}/state
GET    /api/workflow/externalstoragelocation
GET    /api/workflow/external-storage-location
POST   /api/workflow/test

PUT    /api/workflow/bulk/pause
PUT    /api/workflow/bulk/resume
POST   /api/workflow/bulk/restart
POST   /api/workflow/bulk/retry
POST   /api/workflow/bulk/terminate
DELETE /api/workflow/bulk/remove
DELETE /api/workflow/bulk/terminate-remove
POST   /api/workflow/bulk/search

POST   /api/tasks
POST   /api/tasks/{}/{}/{}
POST   /api/tasks/{}/{}/signal
GET    /api/tasks/{}
GET    /api/tasks/poll/{}
GET    /api/tasks/poll/batch/{}
POST   /api/tasks/update-v2
POST   /api/tasks/{}/{}/{}/sync
POST   /api/tasks/{}/{}/signal/sync
POST   /api/tasks/{}/log
GET    /api/tasks/{}/log
GET    /api/tasks/queue/size
GET    /api/tasks/queue/sizes
GET    /api/tasks/queue/all
GET    /api/tasks/queue/all/verbose
GET    /api/tasks/queue/polldata
GET    /api/tasks/queue/polldata/all
POST   /api/tasks/queue/requeue/{}
GET    /api/tasks/search
GET    /api/tasks/search-v2
GET    /api/tasks/externalstoragelocation

POST   /api/event
PUT    /api/event
GET    /api/event
DELETE /api/event/{}
GET    /api/event/{}

GET    /api/queue/size
GET    /api/queue/
POST   /api/queue/update/{}/{}/{}
POST   /api/queue/update/{}/task/{}/{}

GET    /api/admin/config
GET    /api/admin/task/{}
POST   /api/admin/sweep/requeue/{}
POST   /api/admin/consistency/verifyAndRepair/{}
GET    /api/admin/queues

POST   /api/schema
GET    /api/schema
GET    /api/schema/{}
GET    /api/schema/{}/{}
DELETE /api/schema/{}
DELETE /api/schema/{}/{}

GET    /metrics
GET    /actuator/prometheus
GET    /health
GET    /api/health
GET    /api/version

GET    /api/environment
GET    /api/environment/{}
GET    /api/secrets
POST   /api/secrets
GET    /api/secrets/v2
GET    /api/secrets/{}
PUT    /api/secrets/{}
DELETE /api/secrets/{}
GET    /api/secrets/{}/exists

POST   /api/scheduler/schedules
GET    /api/scheduler/schedules
GET    /api/scheduler/schedules/search
GET    /api/scheduler/schedules/{}
DELETE /api/scheduler/schedules/{}
PUT    /api/scheduler/schedules/{}/pause
PUT    /api/scheduler/schedules/{}/resume
GET    /api/scheduler/nextFewSchedules
GET    /api/scheduler/search/executions
GET    /api/scheduler/admin/pause
GET    /api/scheduler/admin/resume
GET    /api/scheduler/admin/requeue
PUT    /api/scheduler/bulk/pause
PUT    /api/scheduler/bulk/resume

POST   /api/token
GET    /api/token/userInfo
GET    /context.js
"""

#: What is not here, and answers 404 in Conductor's body.
ABSENT = """
POST   /api/files
GET    /api/files/w/f/upload-url
GET    /api/prompts
GET    /api/integrations/all
GET    /api/human/tasks
GET    /api/gateway/config/auth
GET    /api/users
GET    /api/groups
GET    /api/applications
GET    /api/roles
GET    /api/auth/authorization/x/y
GET    /api/metadata/tags
GET    /api/agent/executions
GET    /api/skills
GET    /api/providers/status
GET    /api/a2a/agent-card
GET    /api/registry/service
"""


def lines(table: str) -> Iterator[tuple[str, str]]:
    for line in filter(None, table.splitlines()):
        method, path = line.split()
        yield method, path


def served(app: FastAPI) -> set[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return {(method.upper(), re.sub(r"\{[^}]*\}", "{}", path)) for path, methods in paths.items() for method in methods}


def test_every_path_of_conductor_is_served() -> None:
    connect = MemoryBroker().connect
    here = served(create_app(MemoryStore(), Requester(connect, 2), distributor=Distributor(connect, 2)))
    assert [f"{method} {path}" for method, path in lines(PATHS) if (method, path) not in here] == []


def test_every_path_that_is_served_is_in_the_document_on_compatibility() -> None:
    connect = MemoryBroker().connect
    here = served(create_app(MemoryStore(), Requester(connect, 2), distributor=Distributor(connect, 2)))
    told = re.sub(r"\{[^}`]*\}", "{}", COMPATIBILITY.read_text())
    assert sorted({path for _, path in here if path.removeprefix("/api") not in told}) == []


def test_what_is_not_here_is_a_404_in_conductors_body(client: TestClient) -> None:
    for method, path in lines(ABSENT):
        response = client.request(method, path)

        assert response.status_code == 404, path
        assert {"status", "message", "instance", "retryable"} <= response.json().keys()
