"""Every client command, as people and as programs use it, with its exit codes."""

import json
import sys

import pytest

NAP = {"name": "nap", "tasks": [{"name": "rest", "taskReferenceName": "rest", "type": "HUMAN"}]}
QUICK = {"name": "quick", "tasks": [{"name": "n", "taskReferenceName": "n", "type": "NOOP"}]}
DOOMED = {
    "name": "doomed",
    "tasks": [
        {
            "name": "t",
            "taskReferenceName": "t",
            "type": "TERMINATE",
            "inputParameters": {"terminationStatus": "FAILED", "terminationReason": "no stock"},
        }
    ],
}


@pytest.fixture
def applied(connected, tmp_path):
    for definition in (NAP, QUICK, DOOMED):
        (tmp_path / f"{definition['name']}.json").write_text(json.dumps(definition))
    assert connected("definition", "apply", tmp_path).code == 0
    return connected


def test_definitions_are_applied_listed_and_shown(applied):
    listed = applied("definition", "list", "-o", "json").json

    assert [each["name"] for each in listed["workflows"]] == ["doomed", "nap", "quick"]
    assert "nap" in applied("definition", "list").out
    assert applied("definition", "show", "nap").json["tasks"][0]["taskReferenceName"] == "rest"


def test_folders_are_read_in_their_rooms_only(connected, tmp_path):
    for room, document in (("workflows", NAP), ("tasks", {"name": "resize"}), ("inputs", {"not": "a definition"})):
        (tmp_path / room).mkdir()
        (tmp_path / room / "a.json").write_text(json.dumps(document))

    found = connected("definition", "apply", tmp_path, "-o", "json").json["applied"]

    assert [(each["kind"], each["name"]) for each in found] == [("task", "resize"), ("workflow", "nap")]
    assert connected("definition", "show", "resize").json["name"] == "resize"


HANDLER = {
    "name": "on-order",
    "event": "amqp_queue:orders",
    "actions": [{"action": "start_workflow", "start_workflow": {"name": "nap"}}],
}
NIGHTLY = {"name": "nightly", "cronExpression": "0 0 2 * * *", "startWorkflowRequest": {"name": "nap"}}


def test_event_handlers_and_schedules_are_applied_behind_the_workflows_that_they_start(connected, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([NIGHTLY, HANDLER, NAP]))

    found = connected("definition", "apply", tmp_path, "-o", "json").json["applied"]

    assert [each["kind"] for each in found] == ["workflow", "handler", "schedule"]
    assert connected("event", "show", "on-order").json["event"] == "amqp_queue:orders"
    assert connected("schedule", "show", "nightly").json["cronExpression"] == "0 0 2 * * *"
    assert connected("definition", "apply", tmp_path).code == 0


def test_mistakes_of_event_handlers_and_schedules_are_told_like_any_others(connected, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([NIGHTLY, {**HANDLER, "actions": [{"action": "start"}]}]))

    told = connected("definition", "apply", tmp_path)

    assert told.code == 2
    assert "a.json: [0].startWorkflowRequest.name: no workflow 'nap' is registered" in told.err
    assert "a.json: [1].actions[0].action: must be one of start_workflow" in told.err
    assert connected("event", "list", "-o", "json").json == []


def test_what_a_server_alone_knows_is_not_asked_of_files(baton, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(NIGHTLY))
    assert baton("definition", "validate", tmp_path).code == 0


def test_every_mistake_is_told_with_file_and_path_and_nothing_is_applied(connected, tmp_path):
    (tmp_path / "good.json").write_text(json.dumps(NAP))
    (tmp_path / "broken.json").write_text('{"name": "x",\n "tasks": [}')
    (tmp_path / "odd.json").write_text(json.dumps({"name": "odd", "timeoutSeconds": -1, "tasks": [{"name": "a"}]}))
    (tmp_path / "several.json").write_text(json.dumps([{"name": "a"}, {"name": "b", "retryCount": "many"}]))

    told = connected("definition", "apply", tmp_path)

    assert told.code == 2
    assert f"{tmp_path}/broken.json: the file is not JSON" in told.err
    assert "line 2, column" in told.err
    assert f"{tmp_path}/odd.json: timeoutSeconds: " in told.err
    assert f"{tmp_path}/odd.json: tasks[0].taskReferenceName: " in told.err
    assert f"{tmp_path}/several.json: [1].retryCount: " in told.err
    assert "4 mistakes; nothing was registered" in told.err
    assert connected("definition", "list", "-o", "json").json == {"workflows": [], "tasks": []}


def test_validate_needs_no_server(baton, tmp_path):
    (tmp_path / "nap.json").write_text(json.dumps(NAP))

    assert baton("definition", "validate", tmp_path).out.startswith("valid workflow nap v1")


def test_what_is_doubtful_is_applied_with_a_warning_and_valid_unless_one_is_strict(connected, tmp_path):
    odd = {"name": "odd", "tasks": [{"name": "t", "taskReferenceName": "t", "type": "HTPP"}]}
    (tmp_path / "odd.json").write_text(json.dumps([odd]))

    applied, valid = connected("definition", "apply", tmp_path), connected("definition", "validate", tmp_path)
    strict = connected("definition", "validate", tmp_path, "--strict")

    for told in (applied, valid):
        assert told.code == 0
        assert f"warning {tmp_path}/odd.json: [0].tasks[0].type: " in told.err
    assert (strict.code, "did you mean 'HTTP'?" in strict.err) == (2, True)
    assert (
        connected("definition", "validate", tmp_path, "-o", "json").json["warnings"][0]["path"] == "[0].tasks[0].type"
    )


def test_a_task_without_definition_is_warned_of_when_it_is_applied(connected, tmp_path):
    flow = {"name": "flow", "tasks": [{"name": name, "taskReferenceName": name} for name in ("here", "there", "none")]}
    connected_first = tmp_path / "tasks.json"
    connected_first.write_text(json.dumps([{"name": "there"}]))
    connected("definition", "apply", connected_first)
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    (tmp_path / "here.json").write_text(json.dumps({"name": "here"}))

    told = connected("definition", "apply", tmp_path / "flow.json", tmp_path / "here.json")

    assert told.err.count("warning") == 1
    assert "no task definition 'none'" in told.err


FLOWS = """
from engine.dsl import Task, Value, workflow
from boxes import SIZE

pack = Task("pack", retry_count=1)

@workflow(version=2)
def order(lines: Value):
    pack(size=SIZE, lines=lines)
"""


@pytest.fixture
def flows(tmp_path, monkeypatch):
    (tmp_path / "boxes.py").write_text("SIZE = 3")
    (tmp_path / "flows.py").write_text(FLOWS)
    yield tmp_path / "flows.py"
    for name in ("boxes", "flows"):
        sys.modules.pop(name, None)


def test_definitions_written_in_python_are_applied_and_exported(connected, flows, tmp_path):
    found = connected("definition", "apply", flows, "-o", "json").json["applied"]

    assert [(each["kind"], each["name"], each["version"]) for each in found] == [
        ("task", "pack", None),
        ("workflow", "order", 2),
    ]
    assert connected("definition", "show", "order").json["version"] == 2
    assert [each["name"] for each in connected("definition", "export", "flows").json] == ["pack", "order"]
    assert connected("definition", "export", "flows:order").json["tasks"][0]["inputParameters"]["size"] == 3
    assert connected("definition", "export", "flows", "--to", tmp_path / "made").code == 0
    assert json.loads((tmp_path / "made" / "workflows" / "order.v2.json").read_text())["name"] == "order"
    assert connected("definition", "validate", tmp_path / "made", "--strict").code == 0


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\n1 / 0", "flows.py:2: ZeroDivisionError"),
        ("from engine.dsl import noop\nnoop('a')", "flows.py:2: a step is written inside"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("def", "SyntaxError"),
    ],
)
def test_a_python_file_that_cannot_be_used_is_told_with_its_line(baton, flows, source, told):
    flows.write_text(source)

    for command in (("validate", flows), ("export", "flows")):
        failed = baton("definition", *command)
        assert failed.code == 2
        assert told in failed.err
        assert "Traceback" not in failed.err


def test_a_module_without_the_name_is_told(baton, flows):
    assert "no workflow or task 'nope'" in baton("definition", "export", "flows:nope").err
    assert "holds no workflow" in baton("definition", "export", "boxes").err


def test_a_run_is_started_shown_and_listed(applied):
    identity = applied(
        "workflow", "start", "nap", "--input", '{"a": 1}', "--correlation-id", "c", "--priority", 7
    ).out.strip()

    shown = applied("workflow", "show", identity, "-o", "json").json
    assert (shown["input"], shown["correlationId"], shown["priority"]) == ({"a": 1}, "c", 7)
    assert "rest" in applied("workflow", "show", identity).out
    assert identity in applied("workflow", "list").out
    found = applied("workflow", "list", "--name", "nap", "--status", "running", "--correlation-id", "c", "-o", "json")
    assert [each["workflowId"] for each in found.json["results"]] == [identity]
    assert applied("workflow", "list", "--name", "other").out == "There is no such run.\n"


def test_input_comes_from_a_file_too(applied, tmp_path):
    (tmp_path / "input.txt").write_text('{"from": "file"}')

    started = applied("workflow", "start", "nap", "--input", tmp_path / "input.txt", "-o", "json").json

    assert applied("workflow", "show", started["workflowId"], "-o", "json").json["input"] == {"from": "file"}


def test_an_idempotency_key_gives_the_same_run(applied):
    first, again = (applied("workflow", "start", "nap", "--idempotency-key", "k").out for _ in range(2))

    assert first == again


def test_watching_ends_with_the_runs_exit_code(applied):
    assert applied("workflow", "start", "quick", "--watch").code == 0
    failed = applied("workflow", "start", "doomed", "--watch")
    assert failed.code == 10
    assert "doomed FAILED: no stock" in failed.out
    assert applied("workflow", "start", "doomed", "--watch", "-o", "json").json["status"] == "FAILED"


def test_a_waiting_task_is_signalled(applied):
    identity = applied("workflow", "start", "nap").out.strip()

    assert applied("workflow", "signal", identity, "--data", '{"said": "yes"}').code == 0
    assert applied("workflow", "watch", identity).code == 0
    shown = applied("workflow", "show", identity, "-o", "json").json
    assert shown["tasks"][0]["outputData"]["said"] == "yes"


def test_a_task_is_ended_by_its_reference_name(applied):
    identity = applied("workflow", "start", "nap").out.strip()

    assert applied("workflow", "signal", identity, "--ref", "rest", "--status", "FAILED_WITH_TERMINAL_ERROR").code == 0
    assert applied("workflow", "watch", identity).code == 10


def test_a_run_is_paused_resumed_terminated_and_retried(applied):
    identity = applied("workflow", "start", "nap").out.strip()

    def status():
        return applied("workflow", "show", identity, "-o", "json").json["status"]

    assert applied("workflow", "pause", identity).code == 0
    assert status() == "PAUSED"
    assert applied("workflow", "resume", identity, "-o", "json").json["workflowId"] == identity
    assert status() == "RUNNING"
    assert applied("workflow", "terminate", identity, "--reason", "enough").code == 0
    assert applied("workflow", "watch", identity).code == 12
    assert applied("workflow", "pause", identity).code == 4
    assert applied("workflow", "retry", identity).code == 0
    assert status() == "RUNNING"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["workflow", "show", "nope"], 3, "nope"),
        (["workflow", "pause", "nope"], 3, "nope"),
        (["workflow", "start", "nope"], 3, "nope"),
        (["definition", "show", "nope"], 3, "baton definition list"),
        (["dead", "show", "nope"], 3, "baton dead list"),
        (["workflow", "show", "a/../b"], 3, "a/../b"),
        (["workflow", "start", "nap", "--input", "{"], 2, "column"),
        (["workflow", "start", "nap", "--input", "[1]"], 2, "object"),
        (["workflow", "start", "nap", "--input", '{"a": NaN}'], 2, "NaN"),
        (["workflow", "start", "nap", "--input", "no-such-file"], 2, "no file"),
        (["workflow", "start", "nap", "--priority", "100"], 2, "100"),
        (["workflow", "strat"], 2, "start"),
        (["wrokflow"], 2, "Did you mean 'workflow'"),
        (["definition", "apply"], 2, "PATH"),
        (["definition", "apply", "."], 2, "no definition"),
    ],
)
def test_mistakes_get_a_sentence_and_their_exit_code(connected, arguments, code, sentence):
    told = connected(*arguments)

    assert told.code == code
    assert sentence in told.err
    assert "Traceback" not in told.err


def test_errors_are_json_for_programs(connected):
    told = connected("workflow", "show", "nope", "--output", "json")

    assert json.loads(told.err)["exitCode"] == 3
    assert told.out == ""


def test_a_server_that_is_not_there_is_told_with_the_next_step(baton, unused_port):
    told = baton("workflow", "list", "--server", f"http://127.0.0.1:{unused_port}")

    assert told.code == 6
    assert "Connection refused" in told.err
    assert "baton dev" in told.err


@pytest.mark.parametrize("server", ["localhost:8080", "ftp://x", "http://", "http://host:port"])
def test_an_address_that_is_none_is_a_usage_error(baton, server):
    assert baton("workflow", "list", "--server", server).code == 2


def test_the_servers_address_may_stand_in_a_dot_env_file(baton, server, tmp_path):
    (tmp_path / ".env").write_text(f"BATON_SERVER_URL={server}\n")

    assert baton("workflow", "list").code == 0


def test_dead_letters_are_listed_shown_and_requeued(connected, hub):
    from engine.wire.message import START_QUEUE, Message

    hub.connect().publish([Message(queue=START_QUEUE, body=b"{", message_id="m1")])
    while not connected("dead", "list", "-o", "json").json["results"]:
        pass

    assert "not JSON" in connected("dead", "list").out
    shown = connected("dead", "show", "m1")
    assert "baton.start" in shown.out
    assert connected("dead", "requeue", "m1").code == 0


def test_a_fault_of_our_own_shows_no_stack_trace(baton, monkeypatch):
    from engine.cli import client

    def broken(*_):
        raise ZeroDivisionError("that was us")

    monkeypatch.setattr(client.Client, "__enter__", broken)

    told = baton("workflow", "list", "--server", "http://localhost:1")

    assert told.code == 1
    assert "that was us" in told.err
    assert "Traceback" not in told.err
