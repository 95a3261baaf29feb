"""Opens the gRPC door where a port is set for it; without the extra it is told what to install."""

from __future__ import annotations

import asyncio
import socket
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.config import Settings, variable_of
from engine.errors import BadConfiguration
from engine.services.opening import payload_storage

if TYPE_CHECKING:
    from engine.api.grpc.door import GrpcDoor
    from engine.api.requester import Requester
    from engine.polling.distributor import Distributor
    from engine.polling.poll_book import PollBook
    from engine.store.port import Store

#: What the extra brings.
_NEEDED = ("grpc", "google.protobuf")


def check_grpc(settings: Settings) -> None:
    """Raise ``BadConfiguration`` when a port is set for gRPC and cannot be served."""
    if settings.grpc_port is None:
        return
    if not all(_is_installed(module) for module in _NEEDED):
        raise BadConfiguration(
            [
                f"{variable_of('grpc_port')} is set, but gRPC is not installed: install it with "
                "pip install 'baton-engine[grpc]', or leave the setting out."
            ]
        )
    _certificate(settings)
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.http_host, settings.grpc_port))
        except OSError as error:
            raise BadConfiguration(
                [
                    f"{_address(settings)} cannot be listened on ({error.strerror}): stop what uses it, or choose "
                    f"another port with {variable_of('grpc_port')}."
                ]
            ) from None


def grpc_door(
    settings: Settings,
    store: Store,
    reading: Store,
    requester: Requester,
    distributor: Distributor,
    book: PollBook,
) -> GrpcDoor | None:
    """Return the door, closed as yet; None where no port is set for it. Searches look into ``reading``."""
    if settings.grpc_port is None:
        return None
    # Only now, for most installations do without.
    from engine.api.grpc.calls import every_call
    from engine.api.grpc.door import Certificate, GrpcDoor

    leaving = asyncio.Event()
    calls = every_call(store, reading, requester, distributor, book, SystemClock(), payload_storage(settings), leaving)
    pair = _certificate(settings)
    return GrpcDoor(
        calls,
        _address(settings),
        most=settings.http_most_requests,
        drain_seconds=settings.drain_seconds,
        leaving=leaving,
        certificate=None if pair is None else Certificate(*pair),
    )


def _certificate(settings: Settings) -> tuple[bytes, bytes] | None:
    """Return the certificates and the key that are set, None where none are; raise where they cannot be used."""
    chain, key = settings.grpc_certificate_file, settings.grpc_key_file
    if chain is None and key is None:
        return None
    names = f"{variable_of('grpc_certificate_file')} and {variable_of('grpc_key_file')}"
    if chain is None or key is None:
        raise BadConfiguration([f"{names} belong together: set both, or none of them for gRPC without TLS."])
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
        return Path(chain).read_bytes(), Path(key).read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise BadConfiguration(
            [f"{names} cannot be used ({chain}, {key}: {why}): name files with a certificate and its key, as PEM."]
        ) from None


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _address(settings: Settings) -> str:
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    return f"{host}:{settings.grpc_port}"
