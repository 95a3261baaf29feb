"""Every scenario, in memory and on servers; and that there is one for every type of task in every situation."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from deploy.endpoint import Servers
from deploy.vhosts import Vhosts
from engine.operations import operations
from engine.store.migrate import migrate
from engine.tasks import task_types
from engine.testing.harness import Harness
from tests.conftest import own_postgres
from tests.scenarios.play import play
from tests.scenarios.scenario import SITUATIONS, Scenario, scenarios, without_situation
from tests.scenarios.stage import ServerStage

SCENARIOS = tuple(scenarios())

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.scenario)


@each_scenario
def test_a_scenario_comes_to_its_rows_in_memory(scenario: Scenario) -> None:
    play(scenario, Harness())


@pytest.fixture(scope="module")
def stage(servers: Servers) -> Iterator[ServerStage]:
    vhosts, vhost = Vhosts(servers.broker_url, servers.management_url), f"scenarios_{uuid.uuid4().hex}"
    with own_postgres(servers.database_url) as database_url:
        migrate(database_url)
        stage = ServerStage(database_url, vhosts.create(vhost))
        yield stage
        stage.close()
    vhosts.delete(vhost)


@each_scenario
def test_a_scenario_comes_to_the_same_rows_on_rabbitmq_and_postgres(scenario: Scenario, stage: ServerStage) -> None:
    stage.clear()
    play(scenario, stage)


def test_every_type_of_task_is_told_of_in_every_situation() -> None:
    told = {scenario.of for scenario in SCENARIOS}
    wanted = {(name, situation) for name in task_types() for situation in SITUATIONS}
    left_out = {(name, situation) for name, reasons in without_situation().items() for situation in reasons}
    assert not left_out & told, "what is said to be impossible is told"
    assert not wanted - told - left_out, "nothing is told of these"


#: What workers and runs ask of each other, and nobody else.
_AMONG_THEMSELVES = {"take_again", "take_task", "tell_parent"}


def test_every_operation_is_told_of() -> None:
    told = {scenario.of[0] for scenario in SCENARIOS}
    assert not operations().keys() - told - _AMONG_THEMSELVES


def test_no_two_scenarios_have_the_same_title() -> None:
    titles = Counter(scenario.scenario for scenario in SCENARIOS)
    assert [title for title, count in titles.items() if count > 1] == []


def test_there_are_enough_scenarios() -> None:
    assert len(SCENARIOS) >= 150
