"""Schemas over HTTP: registered by name and version, listed, forgotten; and who names one that is missing."""

import json

import pytest

ORDER = {"type": "object", "required": ["id"]}


def schema(name="order", version=1, **fields):
    return {"name": name, "version": version, "type": "JSON", "data": ORDER, **fields}


@pytest.fixture
def save(client):
    def post(*schemas, **query):
        return client.post("/api/schema", json=list(schemas), params=query)

    return post


def test_schemas_are_saved_and_read_by_name_and_version(client, save):
    answer = save(schema(), schema(version=2, data={"type": "object"}), schema("bill"))
    assert (answer.status_code, answer.content) == (200, b"")
    first = client.get("/api/schema/order/1").json()
    assert first == {**schema(), "createTime": 1_700_000_000_000, "updateTime": 0}
    assert client.get("/api/schema/order").json()["version"] == 2
    every = client.get("/api/schema").json()
    assert [(each["name"], each["version"]) for each in every] == [("bill", 1), ("order", 1), ("order", 2)]
    short = client.get("/api/schema", params={"short": "true"}).json()
    assert [each.get("data") for each in short] == [None] * 3


def test_one_alone_needs_no_list(client):
    assert client.post("/api/schema", json=schema()).status_code == 200
    assert client.get("/api/schema/order").json()["data"] == ORDER


def test_the_same_version_is_replaced_and_keeps_its_date(client, save):
    save(schema(createTime=5))
    save(schema(data={"type": "array"}))
    found = client.get("/api/schema/order/1").json()
    assert (found["data"], found["createTime"], found["updateTime"]) == ({"type": "array"}, 5, 1_700_000_000_000)


def test_a_new_version_stands_behind_the_latest(client, save):
    save(schema(version=4))
    save(schema(data={"type": "array"}), newVersion=True)
    assert client.get("/api/schema/order").json()["version"] == 5
    assert client.get("/api/schema/order/4").json()["data"] == ORDER


def test_schemas_of_other_kinds_are_kept(client, save):
    save(schema(type="AVRO", data={"type": "record"}), schema("far", data=None, externalRef="https://x.example"))
    assert client.get("/api/schema/order").json()["data"] == {"type": "record"}
    assert client.get("/api/schema/far").json()["externalRef"] == "https://x.example"


def test_a_version_is_forgotten_or_all_of_them(client, save):
    save(schema(), schema(version=2), schema(version=3))
    assert client.delete("/api/schema/order/2").status_code == 200
    assert client.delete("/api/schema/order/2").status_code == 404
    assert client.delete("/api/schema/order").status_code == 200
    assert client.delete("/api/schema/order").status_code == 404
    assert client.get("/api/schema").json() == []


def test_what_nobody_has_registered_is_missing(client):
    for path in ("/api/schema/order", "/api/schema/order/1"):
        answer = client.get(path)
        assert (answer.status_code, "baton schema list" in answer.json()["message"]) == (404, True)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (schema(""), "name"),
        (schema("a/b"), "name"),
        (schema("a" * 513), "name"),
        (schema(data={"type": "objekt"}), "data"),
        (schema(data={"$ref": "file:///etc/passwd"}), "data"),
        (schema(type="XML"), "type"),
        (schema(version=2**31), "version"),
    ],
)
def test_mistakes_are_told_with_their_paths(client, save, body, path):
    answer = save(schema("good"), body)
    assert answer.status_code == 400
    assert [each["path"] for each in answer.json()["validationErrors"]] == [path]
    assert client.get("/api/schema").json() == []


def test_an_empty_list_is_refused(save):
    assert save().status_code == 400


def test_whoever_registers_what_names_a_missing_schema_is_told(client, save):
    named = {"name": "order", "version": 1}
    flow = {"name": "flow", "tasks": [{"name": "a", "taskReferenceName": "a"}], "inputSchema": named}
    task = {"name": "a", "enforceSchema": True, "outputSchema": named}

    def told(answer):
        return [each["path"] for each in json.loads(answer.headers.get("Baton-Warnings", "[]"))]

    assert told(client.post("/api/metadata/taskdefs", json=[task])) == ["outputSchema"]
    assert told(client.post("/api/metadata/workflow", json=flow)) == ["inputSchema"]
    assert client.post("/api/metadata/workflow", json=flow, params={"strict": True}).status_code == 400
    save(schema())
    assert told(client.put("/api/metadata/taskdefs", json=task)) == []
    assert told(client.put("/api/metadata/workflow", json=[flow])) == []
    assert client.get("/api/metadata/workflow/flow").json()["inputSchema"] == named
