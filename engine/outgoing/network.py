"""Which addresses tasks may call: a definition, or the data of a run, must not reach what only this machine may reach.

Addresses are judged, not names: a name is resolved once, and what was judged is what is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct

from engine.config import Settings, load, variable_of

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Translates IPv4 for networks that have only IPv6: the last 32 bits are the address that is reached (RFC 6052).
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """The address may not be called; the text says which, and what would allow it."""


class Rules(Struct, frozen=True, kw_only=True):
    """Addresses that are never called, and those besides public ones that may be."""

    refused: tuple[Network, ...]
    private: tuple[Network, ...]
    loopback: tuple[Network, ...]

    def check(self, host: str, address: Address) -> None:
        """Raise ``AddressRefused`` when ``address``, which ``host`` has resolved to, may not be called."""
        for meant in _meanings(address):
            if _is_in(meant, self.refused) or meant.is_multicast:
                raise AddressRefused(
                    f"{_shown(host, meant)} is never called ({variable_of('outgoing_refused_networks')})"
                )
            if _is_in(meant, self.private) or _is_in(meant, self.loopback):
                continue
            if meant.is_loopback:
                raise AddressRefused(
                    f"{_shown(host, meant)} is this machine itself, which is called only where "
                    f"{variable_of('outgoing_loopback_networks')} allows it"
                )
            if not meant.is_global:
                raise AddressRefused(
                    f"{_shown(host, meant)} is no public address, and not among "
                    f"{variable_of('outgoing_private_networks')}"
                )

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of ``host`` that may be called, in the order of the system's preference.

        Raises ``AddressRefused`` when there are none but others, ``OSError`` when there are none at all.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        allowed: list[str] = []
        refusal: AddressRefused | None = None
        for *_, place in found:
            text = str(place[0])
            try:
                self.check(host, ipaddress.ip_address(text))
            except AddressRefused as error:
                refusal = error
            else:
                allowed.append(text)
        if not allowed and refusal is not None:
            raise refusal
        return list(dict.fromkeys(allowed))


def rules_of(settings: Settings) -> Rules:
    """Return what the settings say."""
    return Rules(
        refused=networks(settings.outgoing_refused_networks),
        private=networks(settings.outgoing_private_networks),
        loopback=networks(settings.outgoing_loopback_networks),
    )


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a setting, which stand between commas."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


_chosen: list[Rules] = []


def use(rules: Rules) -> None:
    """Make these the rules of this process, whatever its settings say."""
    _chosen[:] = [rules]


def rules() -> Rules:
    """Return the rules of this process: those it was told to use, else those of its settings."""
    return _chosen[0] if _chosen else _set()


@lru_cache(maxsize=1)
def _set() -> Rules:
    return rules_of(load())


def _meanings(address: Address) -> Sequence[Address]:
    """Return the address and those that it stands for: some IPv6 addresses lead to IPv4 ones."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    inner: list[Address] = [address]
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner += address.teredo
    if address in _NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return inner


def _is_in(address: Address, among: Sequence[Network]) -> bool:
    return any(address in network for network in among if network.version == address.version)


def _shown(host: str, address: Address) -> str:
    return f"The address {address}" if host == str(address) else f"The address {address} of {host[:100]!r}"
