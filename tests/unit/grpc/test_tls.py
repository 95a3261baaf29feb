"""gRPC by TLS: the server proves who it is, and who speaks without is not heard."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra grpc is not installed")

from engine.config import Settings
from engine.errors import BadConfiguration
from engine.services.grpc_door import check_grpc
from tests.unit.polling.conftest import opened

from .conftest import TASKS, GrpcSite


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the files of a certificate for localhost and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    whom = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    command = ["openssl", "req", "-x509", *kind, *whom, "-keyout", key, "-out", chain]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@pytest.fixture
def door(pair: tuple[Path, Path]) -> Iterator[GrpcSite]:
    from engine.api.grpc.door import Certificate

    class ByTls(GrpcSite):
        def certificate(self) -> Any:
            return Certificate(*(file.read_bytes() for file in pair))

    with opened(ByTls()) as site:
        yield site


def test_a_client_that_trusts_the_certificate_is_served_and_one_without_tls_is_not(
    door: GrpcSite, pair: tuple[Path, Path]
) -> None:
    import grpc

    trusting = grpc.ssl_channel_credentials(pair[0].read_bytes())
    with grpc.secure_channel(f"localhost:{door.door.port}", trusting) as door.channel:
        assert door.ask(TASKS, "Poll", taskType="nothing") == {}
    with door.connect() as door.channel:
        assert door.refusal(TASKS, "Poll", taskType="nothing")[0] == "UNAVAILABLE"


def test_a_pair_that_cannot_be_used_stops_the_start_with_the_reason(pair: tuple[Path, Path], tmp_path: Path) -> None:
    chain, key = (str(file) for file in pair)
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    with pytest.raises(BadConfiguration, match="belong together"):
        check_grpc(Settings(grpc_port=1, grpc_certificate_file=chain))
    with pytest.raises(BadConfiguration, match="No such file"):
        check_grpc(Settings(grpc_port=1, grpc_certificate_file=chain, grpc_key_file=str(tmp_path / "none")))
    with pytest.raises(BadConfiguration, match="cannot be used"):
        check_grpc(Settings(grpc_port=1, grpc_certificate_file=str(other), grpc_key_file=key))
