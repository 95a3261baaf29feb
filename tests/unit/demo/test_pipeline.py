"""ci_cd_pipeline: a repository on its way to production, and the ways in which it is stopped."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from demo import pipeline
from demo.workspace import commit_project
from workers import TerminalError

REPOSITORY = "repositories/roman"


@pytest.fixture
def checkout(workspace: str) -> dict[str, Any]:
    return dict(pipeline.clone_repository(workspace, REPOSITORY, "main", "b1"))


def built(workspace: str, checkout: dict[str, Any]) -> dict[str, Any]:
    return dict(pipeline.build_package(workspace, checkout["source"], "b1", checkout["commit"]))


def test_every_machine_gets_the_same_commit(workspace: str, tmp_path: Path) -> None:
    project = Path("definitions/inputs/roman")

    assert commit_project(project, tmp_path / "one") == commit_project(project, tmp_path / "two")


def test_cloning_again_leaves_the_checkout_to_those_who_work_in_it(workspace: str, checkout: dict[str, Any]) -> None:
    Path(workspace, checkout["source"], "report.txt").write_text("of the tests that run meanwhile")

    assert pipeline.clone_repository(workspace, REPOSITORY, "main", "b1") == checkout
    assert Path(workspace, checkout["source"], "report.txt").exists()
    assert [path.name for path in Path(workspace, "builds/b1").iterdir()] == ["source"]


@pytest.mark.parametrize(("repository", "branch"), [("repositories/none", "main"), (REPOSITORY, "release")])
def test_what_cannot_be_cloned_is_named_and_leaves_nothing_behind(workspace: str, repository: str, branch: str) -> None:
    with pytest.raises(TerminalError, match=f"branch '{branch}' of '{repository}' cannot be cloned"):
        pipeline.clone_repository(workspace, repository, branch, "b2")

    assert not list(Path(workspace, "builds/b2").iterdir())


def test_the_projects_own_tests_run_with_warnings_as_errors_too(workspace: str, checkout: dict[str, Any]) -> None:
    for options in ([], ["-X", "dev", "-W", "error"]):
        report = pipeline.run_tests(workspace, checkout["source"], options)

        assert report["ran"] == 4
        assert "test_known_numerals" in report["passed"]


def test_a_failing_test_stops_the_pipeline_with_its_own_words(workspace: str, checkout: dict[str, Any]) -> None:
    module = Path(workspace, checkout["source"], "roman/__init__.py")
    module.write_text(module.read_text().replace('(4, "IV")', '(4, "IIII")'))

    with pytest.raises(TerminalError, match=r"(?s)did not pass \(exit code 1\).*'IIII' != 'IV'"):
        pipeline.run_tests(workspace, checkout["source"], [])


def test_a_project_without_tests_does_not_pass(workspace: str) -> None:
    Path(workspace, "empty").mkdir()

    with pytest.raises(TerminalError, match="did not pass"):
        pipeline.run_tests(workspace, "empty", [])


def test_the_same_commit_builds_the_same_wheel(workspace: str, checkout: dict[str, Any]) -> None:
    assert built(workspace, checkout) == built(workspace, checkout)


def test_the_wheel_lists_every_file_with_its_hash(workspace: str, checkout: dict[str, Any]) -> None:
    with zipfile.ZipFile(Path(workspace, built(workspace, checkout)["wheel"])) as wheel:
        record = list(csv.reader(io.StringIO(wheel.read("roman-1.4.0.dist-info/RECORD").decode())))
        hashes = {
            name: "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
            for name in wheel.namelist()
        }

    assert {name for name, _, _ in record} == set(hashes)
    assert all(digest == hashes[name] for name, digest, _ in record if digest)
    assert not [name for name in hashes if name.startswith("tests/")]


def test_what_is_deployed_answers_as_its_users_expect(workspace: str, checkout: dict[str, Any]) -> None:
    package = built(workspace, checkout)
    first = pipeline.deploy_package(workspace, package["wheel"], package["sha256"], "production")

    assert pipeline.deploy_package(workspace, package["wheel"], package["sha256"], "production") == first
    assert pipeline.smoke_test(workspace, "production", "roman", ["1994"], "MCMXCIV")["printed"] == "MCMXCIV"


def test_a_release_that_answers_wrongly_fails_the_smoke_test(workspace: str, checkout: dict[str, Any]) -> None:
    package = built(workspace, checkout)
    pipeline.deploy_package(workspace, package["wheel"], package["sha256"], "production")

    with pytest.raises(RuntimeError, match="printed 'IV', not 'IIII'"):
        pipeline.smoke_test(workspace, "production", "roman", ["4"], "IIII")


def test_only_the_approved_file_is_deployed(workspace: str, checkout: dict[str, Any]) -> None:
    package = built(workspace, checkout)
    wheel = Path(workspace, package["wheel"])
    wheel.write_bytes(wheel.read_bytes() + b" ")

    with pytest.raises(TerminalError, match="is not the file that was approved"):
        pipeline.deploy_package(workspace, package["wheel"], package["sha256"], "production")


def test_a_new_release_says_which_one_it_replaced(workspace: str, checkout: dict[str, Any]) -> None:
    old = built(workspace, checkout)
    first = pipeline.deploy_package(workspace, old["wheel"], old["sha256"], "production")
    module = Path(workspace, checkout["source"], "roman/__init__.py")
    module.write_text(module.read_text() + "\nEDITION = 2\n")
    new = built(workspace, checkout)

    assert pipeline.deploy_package(workspace, new["wheel"], new["sha256"], "production")["replaced"] == first["release"]
