"""What may be known of the world outside: settings, environment and the names of secrets, but never a secret."""

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.config import Settings


@pytest.fixture
def client(store, hub, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATON_ENV_REGION", "eu")
    monkeypatch.setenv("BATON_SECRET_TOKEN", "s3cret")
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "mounted").write_text("s3cret")
    (folder / ".hidden").write_text("s3cret")
    settings = Settings(secrets_directory=str(folder), broker_url="amqp://baton:s3cret@host//")
    with TestClient(create_app(store, Requester(hub.connect, 2), settings=settings)) as client:
        yield client


def test_values_of_the_environment_are_listed_and_found_by_name(client):
    assert client.get("/api/environment").json() == [{"name": "REGION", "value": "eu"}]
    assert client.get("/api/environment/REGION").text == "eu"
    unknown = client.get("/api/environment/HOME")
    assert (unknown.status_code, unknown.text) == (200, "")


def test_of_secrets_only_the_names_are_told(client):
    for method in ("GET", "POST"):
        assert client.request(method, "/api/secrets").json() == ["TOKEN", "mounted"]
    assert client.get("/api/secrets/v2").json() == [{"name": "TOKEN", "tags": []}, {"name": "mounted", "tags": []}]
    assert client.get("/api/secrets/TOKEN/exists").json() is True
    assert client.get("/api/secrets/OTHER/exists").json() is False
    shown = client.get("/api/secrets/TOKEN")
    assert (shown.status_code, "s3cret" in shown.text) == (403, False)
    assert client.get("/api/secrets/OTHER").status_code == 404


@pytest.mark.parametrize("path", ["/api/secrets/TOKEN", "/api/environment/REGION"])
def test_neither_is_written_over_http(client, path):
    for method in ("PUT", "DELETE"):
        response = client.request(method, path, json="new")
        assert response.status_code == 501
        assert "BATON_" in response.json()["message"]


def test_the_configuration_is_shown_without_passwords(client):
    shown = client.get("/api/admin/config")

    assert shown.json()["broker_url"] == "amqp://baton:***@host//"
    assert "s3cret" not in shown.text


def test_any_keys_get_a_token(client):
    assert client.post("/api/token", json={"keyId": "k", "keySecret": "s"}).json()["token"]
    assert client.get("/api/token/userInfo").json()["id"] == "anonymous"


def test_pages_load_their_flags_as_a_script(client):
    flags = client.get("/context.js")
    assert flags.headers["content-type"].startswith("text/javascript")
    assert "window.conductor" in flags.text
