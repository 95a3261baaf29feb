"""``baton dev`` as a process of a test."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.processes import BIN, ROOT
from tests.acceptance.stack import Stack

HERE = Path(__file__).parent


class Dev(Stack):
    """Everything in one process, with the vanilla app's tasks; ``data`` is its folder."""

    def __init__(self, folder: Path, data: Path) -> None:
        surroundings = {"VANILLA_BROKER": "memory://", "PYTHONPATH": f"{ROOT}:{HERE}"}
        super().__init__(folder, database_url="", broker_url="", **surroundings)
        command = [str(BIN / "baton"), "dev", "--data", str(data), "--app", "vanilla:app"]
        self.process = self.processes.start("dev", command, self.environment)
        self.healthy()
