"""What a browser is shown at the server's root: a web UI's files and its deep links, or a page that helps."""

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.pages import check_pages
from engine.api.requester import Requester
from engine.config import Settings
from engine.errors import BadConfiguration

#: What a browser sends when somebody goes to an address.
GOES_TO = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def folder(tmp_path):
    built = tmp_path / "ui"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<title>The application</title>")
    (built / "assets" / "index-1f2e.js").write_text("start()")
    (tmp_path / "secret").write_text("not for browsers")
    return built


@pytest.fixture
def client(store, hub, folder):
    settings = Settings(ui_folder=str(folder))
    check_pages(settings)
    with TestClient(create_app(store, Requester(hub.connect, 2), settings=settings)) as client:
        yield client


@pytest.mark.parametrize(
    "address", ["/", "/index.html", "/executions", "/execution/4711", "/workflowDef/a.dotted.name/1"]
)
def test_every_address_of_a_web_ui_is_its_application(client, address):
    page = client.get(address, headers=GOES_TO)
    assert (page.status_code, page.text) == (200, "<title>The application</title>")
    assert page.headers["cache-control"] == "no-cache"


def test_a_file_of_a_web_ui_is_served_and_may_be_kept(client):
    script = client.get("/assets/index-1f2e.js")
    assert script.text == "start()"
    assert "cache-control" not in script.headers


def test_a_script_that_is_gone_is_not_answered_with_a_page(client):
    gone = client.get("/assets/index-0a1b.js", headers={"Accept": "*/*"})
    assert (gone.status_code, gone.json()["message"]) == (404, "There is no GET /assets/index-0a1b.js here.")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/nothing", 404), ("DELETE", "/api/metadata/workflow", 405), ("POST", "/executions", 405)],
)
def test_what_programs_ask_for_is_never_a_page(client, method, path, status):
    answered = client.request(method, path, headers=GOES_TO)
    assert (answered.status_code, answered.json()["status"]) == (status, status)


def test_the_api_is_where_it_was(client):
    assert client.get("/health", headers=GOES_TO).json()
    assert client.get("/api/metadata/workflow", headers=GOES_TO).json() == []
    assert "window.conductor" in client.get("/context.js").text
    assert "swagger" in client.get("/swagger-ui", headers=GOES_TO).text


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret", "/%00", "/" + "a" * 5_000]
)
def test_nothing_outside_the_folder_is_served(client, path):
    answered = client.get(path)
    assert answered.status_code in (400, 404)
    assert "not for browsers" not in answered.text


def test_without_a_web_ui_a_browser_is_told_where_everything_is(store, hub):
    with TestClient(create_app(store, Requester(hub.connect, 2))) as client:
        page = client.get("/", headers=GOES_TO)
        assert page.headers["content-type"].startswith("text/html")
        for told in ("/swagger-ui", "/health", "/metrics"):
            assert f'href="{told}"' in page.text
            assert client.get(told).status_code in (200, 503)
        assert client.get("/executions", headers=GOES_TO).status_code == 404


def test_a_folder_without_an_application_is_a_fault_of_the_settings(tmp_path):
    with pytest.raises(BadConfiguration, match=r"BATON_UI_FOLDER is .*there is no index\.html"):
        check_pages(Settings(ui_folder=str(tmp_path)))
