"""What is told in a scenario: definitions, what happens to a run of them, and the rows that it must come to.

Scenarios are kept as YAML in ``cases``. A file of them is a list, or a mapping of ``kinds`` and ``scenarios``: each of
these scenarios is then told once for each kind, with its ``$step``, ``$type`` and whatever else the kind names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

CASES = Path(__file__).parent / "cases"

#: What every type of task is tried in.
SITUATIONS = ("success", "failure", "retry", "timeout", "cancel", "in a loop", "in a fork", "in a sub-workflow")

#: Where steps stand inside a step.
_LISTS = ("defaultCase", "loopOver")


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a run stands in the end."""

    ends: str
    #: Every row in the order of scheduling: reference, type, status, and ``attempt 1`` or ``iteration 2`` where not 0.
    rows: tuple[str, ...]
    output: Any = msgspec.UNSET
    variables: Any = msgspec.UNSET
    #: Words that the run's reason holds.
    reason: str | None = None
    #: By reference: of its last attempt, what the input or output is, and words that its reason holds.
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    reasons: dict[str, str] = {}


class Scenario(Expected, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run's story; ``do`` is what happens after its start, by default the workers' work."""

    scenario: str
    #: A type of task, or an operation, and a situation; what the scenario stands for among those that there must be.
    of: tuple[str, str]
    tasks: list[dict[str, Any]]
    #: Further fields of the definition.
    definition: dict[str, Any] = {}
    #: Further definitions, of children.
    others: list[dict[str, Any]] = []
    task_definitions: list[dict[str, Any]] = []
    input: dict[str, Any] = {}
    start: dict[str, Any] = {}
    #: By queue: how one task after the other is answered; the last answer goes on for ever.
    workers: dict[str, list[Any]] = {}
    do: tuple[Any, ...] = ("work",)
    #: Further runs, by the name of their workflow.
    runs: dict[str, Expected] = {}


def scenarios() -> Iterator[Scenario]:
    """Yield every scenario of every file."""
    for path in sorted(CASES.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for document in content if isinstance(content, list) else _for_each_kind(content):
            yield _read(document, path)


def without_situation() -> dict[str, dict[str, str]]:
    """Return by type the situations that it cannot be in, each with the reason."""
    found: dict[str, dict[str, str]] = yaml.safe_load((CASES.parent / "without.yaml").read_text(encoding="utf-8"))
    return found


def _for_each_kind(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, kind in content["kinds"].items():
        for document in content["scenarios"]:
            if document["of"] not in kind.get("without", ()):
                told = _filled(document, {"type": name, **kind})
                yield {**told, "of": [name, document["of"]], "scenario": f"{name}: {document['scenario']}"}


def _filled(value: Any, words: dict[str, Any]) -> Any:
    """Return the value with ``$word`` replaced, also inside texts and as a key."""
    match value:
        case dict():
            return {_filled(key, words): _filled(each, words) for key, each in value.items()}
        case list():
            return [_filled(each, words) for each in value]
        case str() if value[:1] == "$" and value[1:] in words:
            return words[value[1:]]
        case str():
            for word, text in words.items():
                if isinstance(text, str):
                    value = value.replace(f"${word}", text)
    return value


def _read(document: dict[str, Any], path: Path) -> Scenario:
    try:
        told = msgspec.convert(document, Scenario)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path.name}, {document.get('scenario')!r}: {error}") from error
    others = [{**other, "tasks": _steps(other["tasks"])} for other in told.others]
    return msgspec.structs.replace(told, tasks=_steps(told.tasks), others=others)


def _steps(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_step(step) for step in steps]


def _step(short: dict[str, Any]) -> dict[str, Any]:
    """Return a step as a definition has it: ``ref`` is short for its reference and its name."""
    step = dict(short)
    ref = step.pop("ref")
    for field in _LISTS:
        if field in step:
            step[field] = _steps(step[field])
    if "forkTasks" in step:
        step["forkTasks"] = [_steps(branch) for branch in step["forkTasks"]]
    if "decisionCases" in step:
        step["decisionCases"] = {case: _steps(steps) for case, steps in step["decisionCases"].items()}
    return {"name": ref, "taskReferenceName": ref, "type": "SIMPLE", **step}
