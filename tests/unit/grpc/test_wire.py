"""What Conductor's clients see on the wire is what Conductor's own server would show them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from engine.api.grpc.messages import COMPILED, SOURCES

from .facts import facts_of

RECORDED = Path(__file__).with_name("conductor.txt")


def compiled() -> FileDescriptorSet:
    return FileDescriptorSet.FromString(COMPILED.read_bytes())


def test_names_numbers_and_types_are_conductors() -> None:
    recorded = {line for line in RECORDED.read_text().splitlines() if not line.startswith("#")}
    # Entries are how protobuf writes maps down.
    assert {fact for fact in facts_of(compiled()) if "Entry." not in fact} == recorded


def test_what_is_compiled_are_the_files(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="protoc is not installed")
    fresh = tmp_path / "services.pb"
    files = sorted(str(file.relative_to(SOURCES)) for file in SOURCES.glob("*/*.proto"))
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCES}", "--include_imports"]
    subprocess.run([*protoc, f"--descriptor_set_out={fresh}", *files], check=True)
    assert facts_of(FileDescriptorSet.FromString(fresh.read_bytes())) == facts_of(compiled()), "run 'make protos'"
