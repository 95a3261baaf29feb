"""Tasks of ci_cd_pipeline: a git repository is cloned, tested, built into a wheel, deployed and tried out."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dulwich import porcelain
from dulwich.errors import NotGitRepository
from dulwich.objects import Commit
from dulwich.repo import Repo

from demo.app import app
from demo.files import existing, inside, sha256_of, write_whole
from workers import TerminalError

#: Seconds that a project's own code may run; must stay below the response timeout of the task that runs it.
RUN_SECONDS = 60

#: Zip files store no earlier moment; one fixed moment makes the same commit build the same bytes.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def _run(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with ``arguments`` in ``folder``, cut off from the worker's own environment variables."""
    return subprocess.run(  # noqa: S603 running what the repository holds is what a pipeline is for
        [sys.executable, "-B", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


@contextmanager
def _draft_of(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``folder`` in one step at the end, unless another run was first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield draft
        try:
            draft.rename(folder)
        except OSError:
            # Not empty: another run was first, with the same content.
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@app.task
def clone_repository(workspace: str, repository: str, branch: str, build: str) -> dict[str, Any]:
    """Clone one branch into the folder of this build and return the commit that was checked out.

    ``repository`` is a folder of the workspace or a URL that git can clone. Raises ``TerminalError`` when there is no
    such repository or branch. Idempotent: a build has one checkout, which appears whole and is never changed again,
    because a late second run may meet tests that are already at work in it.
    """
    address = repository if "://" in repository else str(inside(workspace, repository))
    source = f"builds/{build}/source"
    target = inside(workspace, source)
    if not target.exists():
        with _draft_of(target) as draft:
            try:
                porcelain.clone(address, draft, branch=branch, errstream=io.BytesIO()).close()
            except (NotGitRepository, KeyError, ValueError) as error:
                raise TerminalError(f"branch {branch!r} of {repository!r} cannot be cloned: {error}") from error
    with Repo(target) as clone:
        commit = clone[clone.head()]
        assert isinstance(commit, Commit)  # a branch never points at anything else
        return {
            "source": source,
            "commit": commit.id.decode(),
            "author": commit.author.decode(),
            "message": commit.message.decode().strip(),
        }


@app.task
def run_tests(workspace: str, source: str, options: list[str]) -> dict[str, Any]:
    """Run the project's unittest suite with this interpreter and return how many tests ran and how they went.

    ``options`` are interpreter options such as ``["-W", "error"]``. Raises ``TerminalError`` with the end of the
    report when a test fails or none is found, because the same commit fails again. Idempotent: it writes nothing.
    """
    done = _run([*options, "-m", "unittest", "discover", "-v"], inside(workspace, source))
    counted = re.search(r"^Ran (\d+) tests? in ([\d.]+)s", done.stderr, re.MULTILINE)
    if done.returncode != 0 or counted is None or counted[1] == "0":
        raise TerminalError(f"the tests did not pass (exit code {done.returncode}): {done.stderr[-1500:].strip()}")
    names = re.findall(r"^(test_\w+) ", done.stderr, re.MULTILINE)
    return {"ran": int(counted[1]), "seconds": float(counted[2]), "passed": sorted(set(names))}


@app.task
def build_package(workspace: str, source: str, build: str, commit: str) -> dict[str, Any]:
    """Build a pure-Python wheel from the checkout and return its name, size and SHA-256.

    Name and version come from ``pyproject.toml``; every package of the source tree except ``tests`` goes in.
    Idempotent: the same commit gives the same bytes (fixed moments, sorted names), and the file is replaced whole.
    """
    tree = inside(workspace, source)
    project = tomllib.loads(existing(workspace, f"{source}/pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    modules = [path for path in sorted(tree.glob("*/**/*.py")) if path.relative_to(tree).parts[0] != "tests"]
    contents = {path.relative_to(tree).as_posix(): path.read_bytes() for path in modules}
    about = f"{name}-{version}.dist-info"
    contents[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {project.get('description', '')}\n"
    ).encode()
    contents[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: demo\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents[f"{about}/COMMIT"] = f"{commit}\n".encode()
    wheel = f"builds/{build}/{name}-{version}-py3-none-any.whl"
    target = inside(workspace, wheel)
    write_whole(target, _zipped(contents, record=f"{about}/RECORD"))
    return {
        "name": name,
        "version": version,
        "wheel": wheel,
        "bytes": target.stat().st_size,
        "sha256": sha256_of(target),
    }


def _zipped(contents: dict[str, bytes], record: str) -> bytes:
    """Pack the files and a wheel's RECORD of them: name, hash and size of each."""
    lines = []
    for name, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**contents, record: "".join([*lines, f"{record},,\n"]).encode()}.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


@app.task
def deploy_package(workspace: str, wheel: str, sha256: str, environment: str) -> dict[str, Any]:
    """Unpack the approved wheel into a release folder, make it the current one and return both.

    Raises ``TerminalError`` when the wheel is not the one that was approved. Idempotent: the release folder is named
    after the checksum, so a second run finds the same release; the pointer to it is replaced whole.
    """
    file = existing(workspace, wheel)
    if sha256_of(file) != sha256:
        raise TerminalError(f"{file.name} is not the file that was approved: its checksum differs")
    name = f"environments/{environment}/releases/{sha256[:16]}"
    release = inside(workspace, name)
    if not release.exists():
        with _draft_of(release) as draft, zipfile.ZipFile(file) as archive:
            archive.extractall(draft)
    current = inside(workspace, f"environments/{environment}/current")
    previous = current.read_text().strip() if current.is_file() else None
    write_whole(current, f"{name}\n".encode())
    return {"release": name, "environment": environment, "replaced": previous if previous != name else None}


@app.task
def smoke_test(workspace: str, environment: str, module: str, arguments: list[str], expected: str) -> dict[str, Any]:
    """Run the deployed module as its users would and return what it printed.

    Raises an error (retried by the task definition) when it fails or prints something else than ``expected``.
    Idempotent: it writes nothing.
    """
    release = existing(workspace, f"environments/{environment}/current").read_text().strip()
    done = _run(["-m", module, *arguments], inside(workspace, release))
    printed = done.stdout.strip()
    if done.returncode != 0 or printed != expected:
        raise RuntimeError(f"{module} in {environment} printed {printed!r}, not {expected!r}: {done.stderr[-500:]}")
    return {"release": release, "printed": printed}
