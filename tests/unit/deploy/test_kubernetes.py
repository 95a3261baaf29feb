"""The manifests for Kubernetes are what its schemas allow, and agree with compose, the code and each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from demo.app import app as demo_app
from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.cli import baton
from engine.config import load
from engine.testing.memory_store import MemoryStore
from workers.system import KINDS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"

#: The oldest version of Kubernetes that is expected.
OLDEST = "1.30"

#: What is told by hand, with values in place of a user's.
SECRETS = {
    "baton-database": {"BATON_DATABASE_URL": "postgresql+psycopg://baton:secret@postgres:5432/baton"},
    "baton-broker": {
        "BATON_BROKER_URL": "amqp://baton:secret@rabbitmq:5672//",
        "BATON_MANAGEMENT_URL": "http://baton:secret@rabbitmq:15672",
    },
    "baton-flower": {"FLOWER_BASIC_AUTH": "baton:secret"},
}

ENGINE = ("server", "decider", "starter", "timekeeper", "notifier", "listener")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            yield file.name, document


ALL = list(documents())
OWN = [each for _, each in ALL if each["kind"] not in ("Kustomization", "ScaledObject", "TriggerAuthentication")]
DEPLOYMENTS = {each["metadata"]["name"].removeprefix("baton-"): each for each in OWN if each["kind"] == "Deployment"}
SCALED = [each for _, each in ALL if each["kind"] == "ScaledObject"]


def pod(name: str) -> dict[str, Any]:
    return DEPLOYMENTS[name]["spec"]["template"]["spec"]


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    return only


def given(name: str) -> dict[str, str]:
    """Return the environment of a process, as config map and secrets make it."""
    (settings,) = [each for each in OWN if each["kind"] == "ConfigMap"]
    maps = {settings["metadata"]["name"]: settings["data"]}
    sources = container(name)["envFrom"]
    found: dict[str, str] = {}
    for source in sources:
        found |= (
            maps[source["configMapRef"]["name"]] if "configMapRef" in source else SECRETS[source["secretRef"]["name"]]
        )
    return found


def kind_and_name(document: dict[str, Any]) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


@pytest.mark.parametrize("document", OWN, ids=kind_and_name)
def test_every_manifest_is_what_kubernetes_allows(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, OLDEST, strict=True)


def test_what_is_applied_together_is_all_but_what_needs_something_else() -> None:
    (kustomization,) = [each for _, each in ALL if each["kind"] == "Kustomization"]
    asked_for = {"kustomization.yaml", "scaling.yaml", "worker-kafka.yaml", "worker-sql.yaml"}
    assert set(kustomization["resources"]) == {file for file, _ in ALL} - asked_for


def test_every_process_of_compose_has_its_deployment_with_the_same_command() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(DEPLOYMENTS) == set(services) - {"postgres", "rabbitmq", "policies"}
    for name in DEPLOYMENTS:
        theirs, ours = services[name]["command"], container(name)["command"]
        assert ours[: len(theirs)] == theirs, name


@pytest.mark.parametrize("name", [name for name in DEPLOYMENTS if container(name)["command"][0] == "baton"])
def test_every_command_is_one_that_the_command_line_has(name: str) -> None:
    _, verb, *arguments = container(name)["command"]
    command = baton.get_command(click.Context(baton), verb)
    assert command is not None
    command.make_context(verb, list(arguments))


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_setting_is_one_that_exists_and_has_a_value_that_works(name: str, tmp_path: Path) -> None:
    load(given(name), tmp_path)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_only_the_engine_is_told_where_the_database_is(name: str) -> None:
    assert ("BATON_DATABASE_URL" in given(name)) == (name in ENGINE)


@pytest.mark.parametrize("name", ENGINE)
def test_the_tables_are_brought_up_to_date_where_no_probe_is_impatient(name: str) -> None:
    (first,) = pod(name)["initContainers"]
    assert first["command"] == ["baton", "migrate"]
    assert (first["image"], first["envFrom"]) == (container(name)["image"], container(name)["envFrom"])


@pytest.mark.parametrize("name", [name for name in ENGINE if name != "server"])
def test_a_process_that_hangs_is_restarted_but_no_decider_that_computes(name: str, tmp_path: Path) -> None:
    settings = load(given(name), tmp_path)
    words = " ".join(container(name)["livenessProbe"]["exec"]["command"])
    minutes = re.search(rf"find {settings.alive_file} -mmin -(\d+)", words)
    assert minutes is not None
    assert int(minutes[1]) * 60 > settings.stuck_seconds
    (scratch,) = container(name)["volumeMounts"]
    assert Path(str(settings.alive_file)).is_relative_to(scratch["mountPath"])


def test_the_server_is_probed_by_what_it_answers() -> None:
    hub = MemoryBroker()
    answered = create_app(MemoryStore(), Requester(hub.connect, 1)).openapi()["paths"]
    probes = [value for key, value in container("server").items() if key.endswith("Probe")]
    assert len(probes) == 3
    for probe in probes:
        assert "get" in answered[probe["httpGet"]["path"]]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_process_is_probed_and_says_what_it_needs(name: str) -> None:
    assert container(name)["livenessProbe"]
    assert set(container(name)["resources"]["requests"]) == {"cpu", "memory"}
    assert set(container(name)["resources"]["limits"]) == {"memory"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_nothing_runs_as_root_or_writes_outside_of_its_scratch_folder(name: str) -> None:
    assert pod(name)["securityContext"]["runAsNonRoot"]
    for each in [*pod(name).get("initContainers", ()), container(name)]:
        confined = each["securityContext"]
        assert confined["readOnlyRootFilesystem"]
        assert not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_that_is_told_to_stop_is_left_time_to_finish(name: str, tmp_path: Path) -> None:
    drain = load(given(name), tmp_path).drain_seconds
    assert pod(name)["terminationGracePeriodSeconds"] >= drain


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_whoever_selects_pods_finds_those_of_one_deployment(name: str) -> None:
    labels = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == f"baton-{name}"
    assert DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for each in OWN:
        if each["kind"] in ("Service", "PodDisruptionBudget") and each["metadata"]["name"] == f"baton-{name}":
            selector = each["spec"]["selector"]
            assert selector.get("matchLabels", selector) == {"app.kubernetes.io/name": f"baton-{name}"}


def test_replicas_are_said_in_one_place() -> None:
    scalers = {each["spec"]["scaleTargetRef"]["name"] for each in OWN if each["kind"] == "HorizontalPodAutoscaler"}
    pools = {each["spec"]["scaleTargetRef"]["name"] for each in SCALED}
    assert not scalers & pools
    for name, deployment in DEPLOYMENTS.items():
        assert ("replicas" in deployment["spec"]) != (f"baton-{name}" in scalers | pools), name


def test_no_more_deciders_are_started_than_there_are_partitions(tmp_path: Path) -> None:
    (scaler,) = [each for each in OWN if kind_and_name(each) == "HorizontalPodAutoscaler baton-decider"]
    assert scaler["spec"]["maxReplicas"] <= load(given("decider"), tmp_path).partitions


def test_what_there_are_two_of_keeps_one_while_nodes_are_emptied() -> None:
    budgets = {each["metadata"]["name"] for each in OWN if each["kind"] == "PodDisruptionBudget"}
    assert budgets == {"baton-server", "baton-decider", "baton-timekeeper"}


def test_pools_grow_with_queues_that_they_serve() -> None:
    served = {f"baton-worker-{kind}": set(queues) for kind, queues in KINDS.items()}
    demo_app.loader.import_default_modules()
    demo_app.finalize()
    served["baton-worker-demo"] = {name for name in demo_app.tasks if not name.startswith("celery.")}
    for each in SCALED:
        target = each["spec"]["scaleTargetRef"]["name"]
        queues = {trigger["metadata"]["queueName"] for trigger in each["spec"]["triggers"]}
        assert queues <= served[target], target
        assert {trigger["type"] for trigger in each["spec"]["triggers"]} == {"rabbitmq"}
