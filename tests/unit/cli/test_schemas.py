"""``baton schema``: schemas from files, listed and forgotten; definitions that name one that is missing."""

import json

import pytest


@pytest.fixture
def file(tmp_path):
    def write(name, document):
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


def schema(name, version=1):
    return {"name": name, "version": version, "type": "JSON", "data": {"type": "object"}}


def test_schemas_are_saved_listed_shown_and_deleted(connected, file):
    assert "no schemas yet" in connected("schema", "list").out
    saved = connected(
        "schema", "save", file("a.json", schema("one")), file("b.json", [schema("two"), schema("two", 2)])
    )
    assert (saved.code, saved.out.count("is saved.")) == (0, 3)
    assert "1, 2" in connected("schema", "list").out
    assert connected("schema", "save", file("a.json", schema("two")), "--new-version").code == 0
    assert connected("schema", "show", "two").json["version"] == 3
    assert connected("schema", "show", "two", "--version", 1).json["version"] == 1
    assert "in version 1" in connected("schema", "delete", "two", "--version", 1).out
    assert connected("schema", "delete", "one").code == 0
    gone = connected("schema", "show", "one")
    assert (gone.code != 0, "baton schema list" in gone.err) == (True, True)
    listed = connected("schema", "list", "-o", "json").json
    assert [(each["name"], each["version"]) for each in listed] == [("two", 2), ("two", 3)]


def test_what_is_wrong_with_a_file_is_told(connected, file):
    assert "is no schema" in connected("schema", "save", file("c.json", 5)).err
    assert "not a JSON Schema" in connected("schema", "save", file("d.json", {**schema("d"), "data": {"type": 1}})).err


def test_a_definition_that_names_a_missing_schema_is_applied_with_a_warning(connected, file):
    flow = {"name": "flow", "tasks": [{"name": "a", "taskReferenceName": "a"}], "inputSchema": {"name": "one"}}
    assert "no schema 'one' is registered" in connected("definition", "apply", file("flow.json", flow)).err
    connected("schema", "save", file("a.json", schema("one")))
    assert "no schema 'one'" not in connected("definition", "apply", file("flow.json", flow)).err
