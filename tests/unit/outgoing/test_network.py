"""What tasks may call is decided by addresses, however they are written and wherever they come from."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from engine.config import LOOPBACK, Settings
from engine.errors import BadConfiguration
from engine.outgoing.network import AddressRefused, Rules, rules_of

USUAL = rules_of(Settings())
AT_HOME = rules_of(Settings(outgoing_loopback_networks=LOOPBACK))


def allowed(rules: Rules, address: str) -> bool:
    try:
        rules.check("some.host", ipaddress.ip_address(address))
    except AddressRefused:
        return False
    return True


METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::a9fe:a9fe%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
NOWHERE = ["0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"]
ITSELF = ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
INSIDE = ["10.0.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.7", "fd12:3456::1", "::ffff:10.0.0.1"]
OUTSIDE = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", METADATA + NOWHERE)
def test_links_metadata_and_what_is_no_address_are_never_called(address: str) -> None:
    assert not allowed(USUAL, address)
    assert not allowed(AT_HOME, address)


@pytest.mark.parametrize("address", ITSELF)
def test_the_machine_itself_is_called_only_where_that_is_allowed(address: str) -> None:
    assert not allowed(USUAL, address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_developers_own_machine_may_be_called(address: str) -> None:
    assert allowed(AT_HOME, address)


@pytest.mark.parametrize("address", INSIDE + OUTSIDE)
def test_services_inside_and_outside_are_called(address: str) -> None:
    assert allowed(USUAL, address)


@pytest.mark.parametrize("address", INSIDE)
def test_private_networks_can_be_closed(address: str) -> None:
    assert not allowed(rules_of(Settings(outgoing_private_networks="203.0.113.0/24")), address)


def test_what_is_refused_wins_over_what_is_allowed() -> None:
    rules = rules_of(Settings(outgoing_refused_networks="10.1.0.0/16", outgoing_private_networks="10.0.0.0/8"))

    assert not allowed(rules, "10.1.2.3")
    assert allowed(rules, "10.2.2.3")


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "127.0.0.1.", "①②⑦.0.0.1"]
)
def test_no_way_of_writing_an_address_gets_past(host: str) -> None:
    with pytest.raises((AddressRefused, socket.gaierror, UnicodeError)):
        USUAL.resolve(host, 80)


def test_a_name_with_a_good_and_a_bad_address_leads_to_the_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*_: Any, **__: Any) -> list[Any]:
        found = ["169.254.169.254", "127.0.0.1", "93.184.216.34", "93.184.216.34"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answers)

    assert USUAL.resolve("two.faced.example", 80) == ["93.184.216.34"]


def test_a_refusal_names_the_address_and_the_setting() -> None:
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1.*BATON_OUTGOING_LOOPBACK_NETWORKS"):
        USUAL.resolve("127.0.0.1", 80)


def test_a_network_that_is_none_is_told_at_the_start() -> None:
    with pytest.raises(BadConfiguration, match=r"BATON_OUTGOING_PRIVATE_NETWORKS has '10\.0\.0\.1/8'"):
        Settings(outgoing_private_networks="10.0.0.1/8")
