"""Which addresses callbacks may go to: those of the world, written in a way that all libraries read alike."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from badges.exceptions import CallbackRefused
from badges.issuing.callback_addresses import check, defect, is_public

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_the_worlds(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(CallbackRefused) as caught:
        check(["8.8.8.8", address])
    assert address not in str(caught.value), "a name of ours must not be asked for its address this way"


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_world(address: str) -> None:
    assert is_public(address)
    check([address])


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_like_the_one_that_it_wraps(address: Any) -> None:
    assert not is_public(str(ipaddress.IPv6Address(f"::ffff:{address}")))
    assert is_public(str(ipaddress.IPv6Address(f"64:ff9b::{address}"))) == is_public(str(address))


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_otherwise(address: Any) -> None:
    if is_public(str(address)) and not str(address).startswith("64:ff9b:"):
        assert address.is_global
        assert not any((address.is_multicast, address.is_private, address.is_link_local, address.is_loopback))


@pytest.mark.parametrize(
    "url",
    [
        "https://receiver.example.com",
        "https://receiver.example.com/hook?tenant=7",
        "https://receiver.example.com:8443/hook",
        "https://receiver.example.com:443/",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]/hook",
        "https://empfänger.example.com/hook",
    ],
)
def test_an_address_that_can_be_entered(url: str) -> None:
    assert defect(url) == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://receiver.example.com/", "Only HTTPS"),
        ("ftp://receiver.example.com/", "Only HTTPS"),
        ("//receiver.example.com/", "Only HTTPS"),
        ("receiver.example.com", "Only HTTPS"),
        ("", "Only HTTPS"),
        ("https:///hook", "no host"),
        ("https://", "no host"),
        ("https://user@receiver.example.com/", "user name"),
        ("https://user:password@receiver.example.com/", "user name"),
        ("https://@receiver.example.com/", "user name"),
        ("https://receiver.example.com@127.0.0.1/", "user name"),
        ("https://receiver.example.com/#fragment", "fragment"),
        ("https://receiver.example.com\\@127.0.0.1/", "characters"),
        ("https://receiver.example.com/a b", "characters"),
        ("https://receiver.example.com/\r\nHost: x", "characters"),
        ("https://receiver.example.com/\x00", "characters"),
        ("https://receiver.example.com/\u2028", "characters"),
        ("https://receiver.example.com:22/", "port"),
        ("https://receiver.example.com:0/", "port"),
        ("https://receiver.example.com:99999/", "not an address"),
        ("https://receiver.example.com:port/", "not an address"),
        ("https://[::1/", "not an address"),
        ("https://localhost/", "this machine"),
        ("https://LOCALHOST./", "this machine"),
        ("https://api.localhost/", "this machine"),
        ("https://127.0.0.1/", "this machine"),
        ("https://[::1]/", "this machine"),
        ("https://[::ffff:127.0.0.1]/", "this machine"),
        ("https://169.254.169.254/latest/meta-data/", "this machine"),
    ],
)
def test_an_address_that_cannot(url: str, words: str) -> None:
    assert words in defect(url)


class TestForDevelopment:
    @pytest.fixture(autouse=True)
    def _allowed(self, settings: Settings) -> None:
        settings.BADGES_CONFIG = {"callbacks": {"allow_private_addresses": True}}

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "https://localhost:22/", "http://receiver/"])
    def test_this_machine_can_be_told(self, url: str) -> None:
        assert defect(url) == ""
        check(["127.0.0.1"])

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://user@127.0.0.1/", "http://a b/"])
    def test_nonsense_cannot(self, url: str) -> None:
        assert defect(url)
