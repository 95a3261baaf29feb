"""The reckoning: which runs have come to another end than they should, and what else is counted at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.cases import FAILURE_WORKFLOW
from tests.chaos.journal import Start
from tests.chaos.workload import BY_NAME, CHILDREN, Kind


def wrong(runs: Sequence[Mapping[str, Any]], starts: Sequence[Start]) -> list[str]:
    """Return the ended runs that differ from what their input says, each with what was expected."""
    numbers = {each.workflow_id: each.number for each in starts}
    names = {each["id"]: each["name"] for each in runs}
    children = Counter(str(each["parent"]) for each in runs if each["parent"])
    found = []
    for each in runs:
        kind = BY_NAME.get(str(each["name"]))
        if kind is None or each["status"] in ("RUNNING", "PAUSED"):
            continue
        expected = _expected(each, kind, numbers.get(str(each["id"])), names, children)
        if expected:
            found.append(f"{dict(each)}, expected {expected}")
    return found


def executions(file: Path) -> tuple[int, int]:
    """Return how many executions the workers noted, and how many task ids among them came more than once."""
    ids = Counter(line.split()[0] for line in file.read_text().splitlines() if line)
    return ids.total(), sum(1 for number in ids.values() if number > 1)


def _expected(
    run: Mapping[str, Any], kind: Kind, number: int | None, names: Mapping[Any, Any], children: Mapping[str, int]
) -> str | None:
    """Return what a run should have come to, None when it has."""
    output = _object(run["output"])
    if run["status"] != kind.status:
        return kind.status
    if number is not None and kind.sum(number) != output.get("sum"):
        return f"the sum {kind.sum(number)}"
    if kind.status == "FAILED" and names.get(output.get(FAILURE_WORKFLOW)) != "chaos_sorry":
        return "a run of its failure workflow"
    if children[str(run["id"])] != CHILDREN.get(kind.name, 0):
        return f"{CHILDREN.get(kind.name, 0)} children, not {children[str(run['id'])]}"
    return None


def _object(payload: object) -> dict[str, object]:
    """Return an output: psycopg decodes JSON columns, and an empty one is NULL."""
    if isinstance(payload, str):
        payload = json.loads(payload)
    return payload if isinstance(payload, dict) else {}
