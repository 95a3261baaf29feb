"""``baton dev`` greets whoever starts it, and says in one sentence why it cannot start."""

import json
import logging
import socket
from pathlib import Path

import pytest
import structlog

from engine.cli.greeting import greeting
from engine.config import Settings
from engine.services.dev import Started

NOTHING = Started(url="http://127.0.0.1:8080", data=Path(".baton/dev"), workflows=[], task_definitions=0, tasks=[])
MUCH = Started(
    url="http://127.0.0.1:9000",
    data=Path("runs"),
    workflows=["a", "b", "c", "d", "e", "f"],
    task_definitions=7,
    tasks=["resize", "store"],
)


@pytest.fixture(autouse=True)
def own_log():
    yield
    # The command has set up logging for a process of its own.
    structlog.reset_defaults()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_empty_system_says_how_to_fill_it():
    text = greeting(NOTHING, Settings())
    assert "http://127.0.0.1:8080" in text
    assert ".baton/dev" in text
    assert "baton definition apply" in text
    assert "--app MODULE:APP" in text
    assert "BATON_SERVER_URL" not in text


def test_what_is_served_is_counted_and_named_and_the_next_step_is_a_real_one():
    text = greeting(MUCH, Settings(http_port=9000, app="shop:app"))
    assert "6 workflows (a, b, c, d and 2 more); 7 for tasks" in text
    assert "2 of shop:app are carried out here: resize, store" in text
    assert "baton workflow start a --watch" in text
    assert "export BATON_SERVER_URL=http://127.0.0.1:9000" in text


@pytest.mark.parametrize(
    ("app", "text", "sentence"),
    [
        ("no_such_module_of_mine:app", None, "No module named 'no_such_module_of_mine'"),
        ("lacking:app", "", "module 'lacking' has no attribute 'app'"),
        ("raising:app", "\nraise KeyError('SHOP_TOKEN')", "KeyError: 'SHOP_TOKEN' (raising.py, line 2)"),
        ("leaving:app", "import sys\nsys.exit('no licence')", "SystemExit: no licence (leaving.py, line 2)"),
        ("broken:app", "def", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("other:app", "app = 3", "it is no Celery app, but of the kind int"),
        (
            "double:app",
            "from celery import Celery\napp = Celery('double', set_as_current=False)\ndef work(): pass\n"
            "for name in 'a.work', 'b.work': app.task(name=name, shared=False)(work)",
            "'a.work' and 'b.work' are both called 'work'",
        ),
    ],
)
def test_an_app_that_cannot_be_loaded_is_told_in_a_sentence(baton, app, text, sentence):
    if text is not None:
        write(f"{app.partition(':')[0]}.py", text)
    told = baton("dev", "--app", app)
    assert told.code == 2
    assert sentence in told.err
    assert "Traceback" not in told.err
    assert len(told.err.splitlines()) == 1


def test_a_port_in_use_is_told_in_a_sentence(baton):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told = baton("dev", "--port", str(other.getsockname()[1]))
    assert told.code == 2
    assert "(Address already in use): stop what uses it, or choose another port with --port" in told.err
    assert len(told.err.splitlines()) == 1


def test_all_mistakes_in_a_folder_of_definitions_are_told_at_once(baton, unused_port):
    write("mine/workflows/one.json", json.dumps({"name": "one", "tasks": [{"name": "a"}]}))
    write("mine/workflows/two.json", "{")
    told = baton("dev", "--port", str(unused_port), "--definitions", "mine")
    assert told.code == 2
    assert "one.json: tasks[0].taskReferenceName" in told.err
    assert "two.json: the file is not JSON" in told.err
    assert "Traceback" not in told.err


def test_a_folder_without_definitions_is_told(baton, unused_port):
    Path("mine").mkdir()
    told = baton("dev", "--port", str(unused_port), "--definitions", "mine")
    assert (told.code, "There is no definition in mine" in told.err) == (2, True)


def test_data_that_cannot_be_kept_is_told(baton, unused_port):
    write("file", "")
    told = baton("dev", "--port", str(unused_port), "--data", "file/data")
    assert (told.code, "cannot be made" in told.err) == (2, True)
