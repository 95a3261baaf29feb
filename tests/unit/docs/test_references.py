"""What the pages name exists: files, names in the code, other pages."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
HEADING = "## In the code"

ENTRY = re.compile(r"^- `(?P<file>[^`]+)`(?:: (?P<names>.+))?$")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def entries(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of a page's last list: a file, and names in it."""
    _, _, section = page.read_text().partition(f"{HEADING}\n")
    for line in section.strip().splitlines():
        found = ENTRY.match(line)
        assert found is not None, f"{page.name}: {line!r} is not an entry such as - `engine/file.py`: `name`"
        yield found["file"], re.findall(r"`([^`]+)`", found["names"] or "")


def defined(file: Path) -> set[str]:
    """Return the names that a module defines, and those of its classes as Class.name."""
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        names |= set(_names(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner}" for each in node.body for inner in _names(each)}
    return names


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


@pytest.mark.parametrize("page", sorted((DOCS / "architecture").glob("*.md")), ids=named)
def test_every_page_of_the_architecture_ends_in_the_code(page: Path) -> None:
    assert list(entries(page)), f"{named(page)} has no list under {HEADING!r}"


@pytest.mark.parametrize("page", [page for page in PAGES if HEADING in page.read_text()], ids=named)
def test_files_and_names_of_the_code_exist(page: Path) -> None:
    for file, names in entries(page):
        assert (ROOT / file).exists(), f"{file} does not exist"
        missing = set(names) - defined(ROOT / file) if names else set()
        assert not missing, f"{file} does not define {', '.join(sorted(missing))}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [found["target"] for found in LINK.finditer(page.read_text())]
    lost = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not lost


def test_the_map_names_every_page() -> None:
    page = DOCS / "README.md"
    mapped = {(DOCS / found["target"]).resolve() for found in LINK.finditer(page.read_text())}
    missing = [named(each) for each in sorted(DOCS.rglob("*.md")) if each != page and each.resolve() not in mapped]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_named_in_the_text_exist(page: Path) -> None:
    roots = "engine|workers|deploy|docs|tests|demo|definitions|benchmarks"
    files = re.findall(rf"`((?:{roots})/[\w./-]+)`", page.read_text())
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_layers_are_those_that_are_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    section = (DOCS / "architecture" / "rooms.md").read_text().partition("## Who may import whom")[2]
    assert section.split("```")[1].removeprefix("text\n").splitlines() == layers
