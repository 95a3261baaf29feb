"""Definitions over HTTP: registered, replaced, shown and refused with every mistake."""

import json

SLEEP = {"name": "nap", "version": 1, "tasks": [{"name": "nap", "taskReferenceName": "nap", "type": "SIMPLE"}]}
TASK = {"name": "resize", "retryCount": 1}


def test_a_registered_workflow_can_be_fetched_listed_and_forgotten(client):
    assert client.post("/api/metadata/workflow", json=SLEEP).status_code == 200

    shown = client.get("/api/metadata/workflow/nap").json()
    assert (shown["name"], shown["createTime"]) == ("nap", 1_700_000_000_000)
    assert [each["name"] for each in client.get("/api/metadata/workflow").json()] == ["nap"]
    assert client.get("/api/metadata/workflow/nap/versions").json() == [
        {"name": "nap", "version": 1, "createTime": 1_700_000_000_000, "updateTime": 0}
    ]
    assert client.delete("/api/metadata/workflow/nap/1").status_code == 200
    assert client.delete("/api/metadata/workflow/nap/1").status_code == 404
    assert client.get("/api/metadata/workflow/nap").status_code == 404


def test_the_highest_version_is_the_latest(client):
    for version in (1, 3, 2):
        client.post("/api/metadata/workflow", json={**SLEEP, "version": version})

    assert client.get("/api/metadata/workflow/nap").json()["version"] == 3
    assert client.get("/api/metadata/workflow/nap?version=2").json()["version"] == 2
    assert client.get("/api/metadata/workflow/nap?version=9").status_code == 404


def test_an_existing_version_is_replaced_only_on_demand(client):
    client.post("/api/metadata/workflow", json=SLEEP)

    refused = client.post("/api/metadata/workflow", json={**SLEEP, "description": "new"})
    replaced = client.post("/api/metadata/workflow?overwrite=true", json={**SLEEP, "description": "new"})

    assert (refused.status_code, replaced.status_code) == (409, 200)
    assert "overwrite" in refused.json()["message"]
    assert client.get("/api/metadata/workflow/nap").json()["description"] == "new"


def test_every_mistake_of_a_definition_is_listed_with_its_path(client):
    bad = {"name": "x", "timeoutSeconds": -1, "tasks": [{"name": "a"}, {"name": "b", "taskReferenceName": []}]}

    for path in ("/api/metadata/workflow", "/api/metadata/workflow/validate"):
        response = client.post(path, json=bad)

        assert response.status_code == 400
        faults = {fault["path"] for fault in response.json()["validationErrors"]}
        assert {"timeoutSeconds", "tasks[1].taskReferenceName"} <= faults
        assert len(faults) >= 3
    assert client.get("/api/metadata/workflow").json() == []


def test_a_list_of_definitions_succeeds_in_part(client):
    response = client.put("/api/metadata/workflow", json=[SLEEP, {"name": "bad"}, 5])

    body = response.json()
    assert body["bulkSuccessfulResults"] == ["nap"]
    assert set(body["bulkErrorResults"]) == {"bad", "[2]"}


def test_validation_alone_stores_nothing(client):
    assert client.post("/api/metadata/workflow/validate", json=SLEEP).status_code == 200
    assert client.get("/api/metadata/workflow").json() == []


DOUBTFUL = {"name": "odd", "tasks": [{"name": "t", "taskReferenceName": "t", "type": "HTPP", "retry": 1}]}


def test_what_is_doubtful_is_stored_with_warnings_that_no_client_of_conductor_reads(client):
    stored = client.post("/api/metadata/workflow", json=DOUBTFUL)

    assert (stored.status_code, stored.content) == (200, b"")
    assert [doubt["path"] for doubt in json.loads(stored.headers["Baton-Warnings"])] == [
        "tasks[0].retry",
        "tasks[0].type",
    ]
    listed = client.put("/api/metadata/workflow", json=[DOUBTFUL])
    assert listed.json() == {"bulkErrorResults": {}, "bulkSuccessfulResults": ["odd"]}
    assert json.loads(listed.headers["Baton-Warnings"])[0]["name"] == "odd"
    task = client.post("/api/metadata/taskdefs", json=[{"name": "t", "retryCuont": 1}])
    assert json.loads(task.headers["Baton-Warnings"])[0]["message"].endswith("did you mean 'retryCount'?")
    assert "Baton-Warnings" not in client.put("/api/metadata/taskdefs", json={"name": "t"}).headers


def test_validation_tells_every_warning_and_refuses_them_on_demand(client):
    many = {
        "name": "odd",
        "tasks": [{"name": f"t{n}", "taskReferenceName": f"t{n}", "type": "HTPP"} for n in range(60)],
    }

    assert len(client.post("/api/metadata/workflow/validate", json=many).json()["warnings"]) == 60
    shown = json.loads(client.post("/api/metadata/workflow", json=many).headers["Baton-Warnings"])
    assert len(shown) < 60
    assert "more" in shown[-1]["message"]
    refused = client.post("/api/metadata/workflow/validate?strict=true", json=many)
    assert (refused.status_code, len(refused.json()["validationErrors"])) == (400, 60)
    assert client.post("/api/metadata/workflow?strict=true", json=DOUBTFUL).status_code == 400
    assert client.post("/api/metadata/taskdefs/validate", json={"name": "t", "retries": 1}).json()["warnings"]


def test_task_definitions_that_are_registered_are_known_to_validation(client):
    client.post("/api/metadata/taskdefs", json=[{"name": "nap", "inputTemplate": {"uri": "http://here"}}])
    flat = {"name": "ask", "tasks": [{"name": "nap", "taskReferenceName": "a", "type": "HTTP"}]}

    assert client.post("/api/metadata/workflow/validate", json=SLEEP).json() == {"warnings": []}
    assert client.post("/api/metadata/workflow", json=flat).status_code == 200


def test_task_definitions_are_stored_replaced_and_forgotten(client):
    assert client.post("/api/metadata/taskdefs", json=[TASK]).status_code == 200
    assert client.put("/api/metadata/taskdefs", json={**TASK, "retryCount": 5}).status_code == 200

    shown = client.get("/api/metadata/taskdefs/resize").json()
    assert (shown["retryCount"], shown["rateLimitPerFrequency"], shown["rateLimitFrequencyInSeconds"]) == (5, 0, 1)
    assert [each["name"] for each in client.get("/api/metadata/taskdefs").json()] == ["resize"]
    assert client.delete("/api/metadata/taskdefs/resize").status_code == 200
    assert client.delete("/api/metadata/taskdefs/resize").status_code == 404
    assert client.get("/api/metadata/taskdefs/resize").status_code == 404
    assert client.put("/api/metadata/taskdefs", json=TASK).status_code == 404


def test_bad_task_definitions_are_refused(client):
    for body in ([], {}, [{"name": "", "retryCount": "many"}], [7]):
        assert client.post("/api/metadata/taskdefs", json=body).status_code == 400
    assert client.get("/api/metadata/taskdefs").json() == []


def test_names_that_no_database_keeps_are_refused(client):
    assert client.post("/api/metadata/workflow", json={**SLEEP, "name": "a\0b"}).status_code == 400
    assert client.post("/api/metadata/taskdefs", json=[{"name": "a\0b"}]).status_code == 400
    assert client.get("/api/metadata/workflow/a%00b").status_code == 400
    assert client.get("/api/workflow/search?query=workflowType=a%00b").status_code == 400


def test_versions_that_no_database_keeps_are_refused(client):
    assert client.get("/api/metadata/workflow/nap?version=99999999999").status_code == 400
    assert client.delete("/api/metadata/workflow/nap/99999999999").status_code == 400
    assert client.post("/api/metadata/workflow", json={**SLEEP, "version": 2**40}).status_code == 400


def test_lists_tell_names_versions_and_the_latest(client):
    for name, version in (("nap", 1), ("nap", 3), ("rest", 1)):
        client.post("/api/metadata/workflow", json={**SLEEP, "name": name, "version": version})

    assert client.get("/api/metadata/workflow/names").json() == ["nap", "rest"]
    versions = client.get("/api/metadata/workflow/names-and-versions").json()
    assert {name: [each["version"] for each in found] for name, found in versions.items()} == {
        "nap": [1, 3],
        "rest": [1],
    }
    assert set(versions["rest"][0]) == {"name", "version", "createTime", "updateTime"}
    latest = client.get("/api/metadata/workflow/latest-versions").json()
    assert [(each["name"], each["version"], len(each["tasks"])) for each in latest] == [("nap", 3, 1), ("rest", 1, 1)]
    assert client.get("/api/metadata/workflow/nobody/versions").json() == []


def test_a_short_list_leaves_the_steps_out(client):
    client.post("/api/metadata/workflow", json=SLEEP)

    for path in ("/api/metadata/workflow", "/api/metadata/workflow/latest-versions"):
        (short,) = client.get(path, params={"short": "True"}).json()
        assert (short["name"], short["tasks"]) == ("nap", [])


def test_a_list_is_narrowed_to_kinds_of_workflows(client):
    marks = {"plain": {}, "bot": {"agent_sdk": "x"}, "batch": {"classifier": "nightly"}}
    for name, metadata in marks.items():
        client.post("/api/metadata/workflow", json={**SLEEP, "name": name, "metadata": metadata})

    def found(classifier):
        listed = client.get("/api/metadata/workflow", params={"classifier": classifier}).json()
        return [each["name"] for each in listed]

    assert (found("workflow"), found("agent"), found("nightly,agent")) == (["plain"], ["bot"], ["batch", "bot"])


def test_task_definitions_come_alone_or_in_a_list_by_either_verb(client):
    assert client.post("/api/metadata/taskdefs", json=TASK).status_code == 200
    assert client.put("/api/metadata/taskdefs", json=[{**TASK, "retryCount": 7}]).status_code == 200
    assert client.get("/api/metadata/taskdefs/resize").json()["retryCount"] == 7

    unknown = client.put("/api/metadata/taskdefs", json=[{**TASK, "retryCount": 9}, {"name": "nobody"}])

    assert (unknown.status_code, "nobody" in unknown.json()["message"]) == (404, True)
    assert client.get("/api/metadata/taskdefs/resize").json()["retryCount"] == 7
