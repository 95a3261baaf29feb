"""What is deployed agrees with the code: names, ports, commands and passwords, seen without starting a container."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from deploy import docker_engine, stack
from engine.cli import baton
from engine.config import Settings, load, variable_of
from workers.system import KINDS

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()

#: What compose fills in, here with values in place of a user's.
SUBSTITUTED = re.compile(r"\$\{(?P<name>\w+)(?P<rule>:[?-])(?P<rest>[^}]*)\}")


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def filled(text: str) -> str:
    return SUBSTITUTED.sub(lambda found: found["rest"] if found["rule"] == ":-" else "secret", text)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def test_every_process_of_the_house_has_a_service() -> None:
    houses_own = {"server", "decider", "starter", "timekeeper", "listener", "notifier", "flower", "worker-demo"}
    assert set(SERVICES) == houses_own | {f"worker-{kind}" for kind in KINDS} | {"postgres", "rabbitmq", "policies"}
    assert SERVICES["decider"]["deploy"]["replicas"] == 2


def test_the_stack_on_one_machine_is_the_same_as_the_one_in_containers() -> None:
    alike = {re.sub(r"-\d+$", "", name) for name in stack.PROCESSES}
    by_default = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert alike == by_default - {"postgres", "rabbitmq", "policies"}
    for name, command in stack.PROCESSES.items():
        inside = SERVICES[re.sub(r"-\d+$", "", name)]["command"]
        outside = [Path(command[0]).name, *command[1:]]
        assert [word for word in inside if "=" not in word] == [word for word in outside if "=" not in word]


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_of_a_service_is_one_that_exists_and_has_a_value_that_works(service: str, tmp_path: Path) -> None:
    given = {name: filled(value) for name, value in environment(service).items()}
    for name in given:
        assert name in {variable_of(field) for field in Settings.__struct_fields__} or not name.startswith("BATON_")
    load(given, tmp_path)


@pytest.mark.parametrize("service", SERVICES)
def test_hosts_and_ports_in_urls_are_those_of_the_services(service: str) -> None:
    ports = {"postgres": {5432}, "rabbitmq": {5672, 15672}, "server": {8080}}
    for value in environment(service).values():
        for host, port in re.findall(r"(?:@|http://)([a-z][\w-]*):(\d+)", filled(value)):
            assert int(port) in ports[host], value


@pytest.mark.parametrize("service", SERVICES)
def test_a_published_port_is_open_to_this_machine_only(service: str) -> None:
    for port in SERVICES[service].get("ports", []):
        assert filled(port).startswith("127.0.0.1:"), port


def test_the_server_listens_where_it_is_published_and_asked_for_its_health() -> None:
    inside = environment("server")["BATON_HTTP_PORT"]
    assert SERVICES["server"]["ports"][0].endswith(f":{inside}")
    assert f":{inside}/health" in " ".join(SERVICES["server"]["healthcheck"]["test"])
    assert f"EXPOSE {inside}" in DOCKERFILE


def test_no_password_has_a_default() -> None:
    for text in strings(COMPOSE):
        for found in SUBSTITUTED.finditer(text):
            assert "PASSWORD" not in found["name"] or found["rule"] == ":?", text
        assert not re.search(r"//\w+:(?!\$\{)\w+@", text), text
    for service, name in (("postgres", "POSTGRES_PASSWORD"), ("rabbitmq", "RABBITMQ_DEFAULT_PASS")):
        assert environment(service)[name].startswith("${")


def test_containers_for_the_tests_get_every_variable_that_compose_asks_for(tmp_path: Path) -> None:
    asked = {
        found["name"] for text in strings(COMPOSE) for found in SUBSTITUTED.finditer(text) if found["rule"] == ":?"
    }
    assert asked <= set(docker_engine.ComposeServers("test", tmp_path)._environment)


@pytest.mark.parametrize("service", [name for name in SERVICES if SERVICES[name].get("command", [""])[0] == "baton"])
def test_every_command_is_one_that_the_command_line_has(service: str) -> None:
    _, name, *arguments = SERVICES[service]["command"]
    command = baton.get_command(click.Context(baton), name)
    assert command is not None
    command.make_context(name, list(arguments))


@pytest.mark.parametrize("service", ["server", "flower", "postgres", "rabbitmq", *(f"worker-{kind}" for kind in KINDS)])
def test_what_can_be_asked_for_its_health_is_asked(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]


@pytest.mark.parametrize("kind", KINDS)
def test_system_workers_are_asked_by_the_name_they_go_by(kind: str) -> None:
    assert f"-d baton-{kind}@$$HOSTNAME" in SERVICES[f"worker-{kind}"]["healthcheck"]["test"][1]


def test_the_sample_worker_is_asked_by_the_name_it_goes_by() -> None:
    worker = SERVICES["worker-demo"]
    assert worker["command"][worker["command"].index("-n") + 1] == "demo@%h"
    assert "-d demo@$$HOSTNAME" in worker["healthcheck"]["test"][1]


def test_containers_stop_later_than_processes_drain() -> None:
    drain = float(environment("decider")["BATON_DRAIN_SECONDS"])
    assert int(SERVICES["decider"]["stop_grace_period"].removesuffix("s")) > drain


def test_every_dependency_is_a_service() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists()


def test_the_image_holds_what_the_commands_need_and_does_not_run_as_root() -> None:
    sources = [word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M) for word in line.split()]
    for source in sources:
        assert (ROOT / source).exists(), source
    assert {"engine", "workers", "demo", "deploy", "definitions", "constraints.txt"} <= set(sources)
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(sources) <= kept
    assert re.search(r"^USER (?!root|0\b)", DOCKERFILE, re.M)
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(stages) == 2


def test_the_image_has_a_python_that_the_project_accepts_and_extras_that_it_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    version = re.search(r"FROM python:(\d+\.\d+)", DOCKERFILE)
    assert version
    assert tuple(map(int, version[1].split("."))) >= tuple(map(int, oldest.split(".")))
    extras = re.search(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_constraints_are_versions_only_and_cover_what_the_project_asks_for() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in lines)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[><=!~ ;]", one)[0].lower().replace("_", "-") for one in asked}
    assert names <= pinned
