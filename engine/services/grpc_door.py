"""Opens the gRPC door where a port is set for it; without the extra it is told what to install."""

from __future__ import annotations

import socket
from importlib.util import find_spec
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
    from engine.api.grpc.door import GrpcDoor

    calls = every_call(store, reading, requester, distributor, book, SystemClock(), payload_storage(settings))
    return GrpcDoor(calls, _address(settings), most=settings.http_most_requests, drain_seconds=settings.drain_seconds)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _address(settings: Settings) -> str:
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    return f"{host}:{settings.grpc_port}"
