"""A fresh working folder for the six workflows: databases, a git repository and an inbox, made from what ships."""

from __future__ import annotations

import shutil
from pathlib import Path

from dulwich import porcelain
from dulwich.refs import Ref

from demo.database import create
from demo.orders import SHOP

#: The inputs that ship with the definitions.
INPUTS = Path(__file__).parent.parent / "definitions" / "inputs"

#: Fixed, so that every machine gets the same commit id.
AUTHOR = b"Roman Maintainers <roman@example.com>"
COMMITTED_AT = 1_715_968_930


def prepare(workspace: Path) -> None:
    """Fill ``workspace`` with everything that the shipped inputs name; what is there already is replaced."""
    inbox = workspace / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    for name in ("harbour.jpg", "sales.csv"):
        shutil.copyfile(INPUTS / name, inbox / name)
    create(workspace / SHOP, (INPUTS / "shop.sql").read_text())
    create(workspace / "legacy.db", (INPUTS / "legacy.sql").read_text())
    commit_project(INPUTS / "roman", workspace / "repositories" / "roman")


def commit_project(project: Path, repository: Path) -> str:
    """Make a git repository with the files of ``project`` as the one commit of its branch ``main``; return its id."""
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(project, repository, ignore=shutil.ignore_patterns("__pycache__"))
    with porcelain.init(repository) as repo:
        repo.refs.set_symbolic_ref(Ref(b"HEAD"), Ref(b"refs/heads/main"))
        files = sorted(path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file())
        repo.get_worktree().stage([name for name in files if not name.startswith(".git/")])
        commit = repo.get_worktree().commit(
            message=b"Roman numerals, both ways",
            author=AUTHOR,
            committer=AUTHOR,
            author_timestamp=COMMITTED_AT,
            commit_timestamp=COMMITTED_AT,
            author_timezone=0,
            commit_timezone=0,
            sign=False,
        )
    return commit.decode()
