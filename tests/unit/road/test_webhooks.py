"""An event that comes in ends the tasks that wait for it, and starts what it is to start, each once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.model.payload import Json
from engine.store.port import WorkflowQuery
from engine.testing.harness import Harness

PAID: dict[str, Json] = {"type": "paid", "order": {"id": 17, "sum": 9.0}}
HEADERS = {"X-Key": "s3cret"}


def step(ref: str = "paid", **matches: Json) -> dict[str, Json]:
    wanted = matches or {"$['type']": "paid", "$.order.id": "${workflow.input.order}"}
    return {"name": ref, "taskReferenceName": ref, "type": "WAIT_FOR_WEBHOOK", "inputParameters": {"matches": wanted}}


@pytest.fixture
def harness() -> Harness:
    one = Harness()
    one.register({"name": "order", "tasks": [step()]})
    return one


@pytest.fixture
def client(harness: Harness) -> Iterator[TestClient]:
    requester = Requester(harness.broker.connect, 1, timeout_seconds=5)
    app = create_app(harness.store, requester, clock=harness.clock, secrets={"KEY": "s3cret"}.get)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def hook(client: TestClient, **more: Json) -> str:
    document = {"name": "shop", "verifier": "HEADER_BASED", "headers": {"X-Key": "${workflow.secrets.KEY}"}}
    document |= {"receiverWorkflowNamesToVersions": {"order": 1}, **more}
    answer = client.post("/api/metadata/webhook", json=document)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def tell(client: TestClient, harness: Harness, webhook: str, event: Json = PAID, **headers: str) -> dict[str, Json]:
    answer = client.post(f"/webhook/{webhook}", json=event, headers={**HEADERS, **headers})
    assert answer.status_code == 200, answer.text
    harness.carry()
    found: dict[str, Json] = answer.json()
    return found


def test_the_event_completes_the_task_that_waits_for_it_and_is_its_output(client: TestClient, harness: Harness) -> None:
    mine, other = harness.start("order", {"order": 17}), harness.start("order", {"order": 18})
    assert tell(client, harness, hook(client)) == {"tasks": 1, "workflows": 0}
    assert (harness.run(mine).status, harness.run(mine).output) == ("COMPLETED", PAID)
    assert harness.run(other).status == "RUNNING"


def test_numbers_are_compared_as_numbers_and_texts_as_texts(client: TestClient, harness: Harness) -> None:
    as_text, as_number = harness.start("order", {"order": "17"}), harness.start("order", {"order": 17.0})
    tell(client, harness, hook(client))
    assert [harness.run(run).status for run in (as_text, as_number)] == ["RUNNING", "COMPLETED"]


def test_all_who_wait_for_an_event_hear_of_it_and_nobody_twice(client: TestClient, harness: Harness) -> None:
    runs = [harness.start("order", {"order": 17}) for _ in range(3)]
    webhook = hook(client)
    assert tell(client, harness, webhook)["tasks"] == 3
    assert {harness.run(run).status.value for run in runs} == {"COMPLETED"}
    assert tell(client, harness, webhook)["tasks"] == 0


def test_only_the_workflows_and_versions_that_the_webhook_names_hear_of_it(
    client: TestClient, harness: Harness
) -> None:
    harness.register({"name": "order", "version": 2, "tasks": [step()]}, {"name": "bill", "tasks": [step()]})
    one, two, bill = (harness.start(name, {"order": 17}) for name in ("order", "order", "bill"))
    assert harness.run(one).version == harness.run(two).version == 2
    assert tell(client, harness, hook(client))["tasks"] == 0
    assert tell(client, harness, hook(client, receiverWorkflowNamesToVersions={"order": None}))["tasks"] == 2
    assert harness.run(bill).status == "RUNNING"


def test_a_task_that_has_ended_in_another_way_waits_no_more(client: TestClient, harness: Harness) -> None:
    run = harness.start("order", {"order": 17})
    harness.request(run, "terminate")
    assert tell(client, harness, hook(client))["tasks"] == 0


def test_each_attempt_and_each_iteration_waits_for_itself(client: TestClient, harness: Harness) -> None:
    loop = {"name": "l", "taskReferenceName": "l", "type": "DO_WHILE", "loopCondition": "$.l.iteration < 2"}
    harness.register({"name": "order", "tasks": [{**loop, "loopOver": [step()]}]})
    run, webhook = harness.start("order", {"order": 17}), hook(client)
    assert [tell(client, harness, webhook)["tasks"] for _ in range(3)] == [1, 1, 0]
    assert harness.run(run).status == "COMPLETED"


def test_matches_that_are_none_fail_the_task_for_good(harness: Harness) -> None:
    harness.register({"name": "order", "tasks": [{**step(), "inputParameters": {"matches": "${workflow.input.m}"}}]})
    run = harness.start("order", {"m": {}})
    assert harness.task(run, "paid").status == "FAILED_WITH_TERMINAL_ERROR"


def test_an_event_starts_workflows_once_however_often_it_is_delivered(client: TestClient, harness: Harness) -> None:
    webhook = hook(client, workflowsToStart={"order": 1}, receiverWorkflowNamesToVersions={})
    for delivery in ("a", "a", "b"):
        assert tell(client, harness, webhook, {"order": 5}, **{"X-GitHub-Delivery": delivery})["workflows"] == 1
    with harness.store.transaction() as transaction:
        count, runs = transaction.find(WorkflowQuery(name="order"))
    assert count == 2
    assert (runs[0].input, runs[0].event) == ({"order": 5}, "webhook:shop")


def test_a_sender_that_is_not_verified_is_told_nothing_and_changes_nothing(
    client: TestClient, harness: Harness
) -> None:
    run, webhook = harness.start("order", {"order": 17}), hook(client)
    answer = client.post(f"/webhook/{webhook}", json=PAID, headers={"X-Key": "guess"})
    assert answer.status_code == 401
    assert "X-Key" not in answer.text
    harness.carry()
    assert harness.run(run).status == "RUNNING"


def test_an_address_that_is_none_answers_404_and_one_that_is_answers_a_ping(client: TestClient) -> None:
    assert client.post("/webhook/nobody", json={}).status_code == 404
    assert client.get(f"/webhook/{hook(client)}").status_code == 200


def test_slacks_challenge_is_answered(client: TestClient, harness: Harness) -> None:
    webhook = hook(client, verifier="SLACK_BASED", secretValue="${workflow.secrets.KEY}")
    body, at = b'{"type":"url_verification","challenge":"3eZbrw1aBm2r"}', 1893456000
    signed = hmac.new(b"s3cret", b"v0:%d:%s" % (at, body), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": f"v0={signed}"}
    answer = client.post(f"/webhook/{webhook}", content=body, headers=headers)
    assert answer.json() == {"challenge": "3eZbrw1aBm2r"}


def test_twitters_challenge_is_answered(client: TestClient) -> None:
    webhook = hook(client, verifier="TWITTER", secretValue="${workflow.secrets.KEY}")
    proof = base64.b64encode(hmac.digest(b"s3cret", b"abc", "sha256")).decode()
    assert client.get(f"/webhook/{webhook}?crc_token=abc").json() == {"response_token": f"sha256={proof}"}
    assert client.get(f"/webhook/{webhook}?crc_token=%7B%7D").status_code == 401
    assert client.get(f"/webhook/{webhook}").status_code == 200


def test_a_batch_of_sendgrids_that_is_delivered_twice_starts_one_run(client: TestClient, harness: Harness) -> None:
    key = generate_private_key(SECP256R1())
    shown = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    harness.register({"name": "log", "tasks": [{"name": "a", "taskReferenceName": "a"}]})
    more = {"workflowsToStart": {"log": 1}, "secretValue": base64.b64encode(shown).decode()}
    webhook, at = hook(client, verifier="SENDGRID", **more), str(harness.clock.now() // 1_000_000)
    for body in (b'[{"event":"open"}]', b'[{"event":"open"}]', b'[{"event":"click"}]'):
        signature = base64.b64encode(key.sign(at.encode() + body, ECDSA(SHA256()))).decode()
        headers = {
            "X-Twilio-Email-Event-Webhook-Timestamp": at,
            "X-Twilio-Email-Event-Webhook-Signature": signature,
            "Content-Type": "application/json",
        }
        assert client.post(f"/webhook/{webhook}", content=body, headers=headers).status_code == 200
    harness.carry()
    with harness.store.transaction() as tx:
        _, runs = tx.find(WorkflowQuery(name="log"))
    assert sorted(run.input["payload"][0]["event"] for run in runs) == ["click", "open"]


def test_forms_are_read_and_what_is_neither_form_nor_json_is_refused(client: TestClient, harness: Harness) -> None:
    harness.register({"name": "order", "tasks": [step(**{"$.command": "/pay"})]})
    run, webhook = harness.start("order"), hook(client)
    form = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(f"/webhook/{webhook}", content=b"command=%2Fpay&text=", headers=form).status_code == 200
    harness.carry()
    assert harness.run(run).output == {"command": "/pay", "text": ""}
    assert client.post(f"/webhook/{webhook}", content=b"<xml/>", headers=HEADERS).status_code == 400


def test_json_that_curl_calls_a_form_is_json(client: TestClient, harness: Harness) -> None:
    run, webhook = harness.start("order", {"order": 17}), hook(client)
    form = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
    client.post(f"/webhook/{webhook}", content=b'{"type": "paid", "order": {"id": 17}}', headers=form)
    harness.carry()
    assert harness.run(run).status == "COMPLETED"


def test_webhooks_are_listed_replaced_and_forgotten_and_never_show_a_secret(client: TestClient) -> None:
    webhook = hook(client)
    shown = client.get(f"/api/metadata/webhook/{webhook}").json()
    assert shown["headers"] == {"X-Key": "${workflow.secrets.KEY}"}
    assert client.put(f"/api/metadata/webhook/{webhook}", json={**shown, "name": "till"}).status_code == 200
    assert [each["name"] for each in client.get("/api/metadata/webhook").json()] == ["till"]
    assert client.delete(f"/api/metadata/webhook/{webhook}").status_code == 200
    assert client.get(f"/api/metadata/webhook/{webhook}").status_code == 404
