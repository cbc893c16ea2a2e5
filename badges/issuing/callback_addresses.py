"""Where callbacks may be sent: the form of an address, and the addresses of the machines behind it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext

from badges.conf import get_config
from badges.exceptions import CallbackRefused

HTTPS_PORT = 443
FIRST_FREE_PORT = 1024
"""Below it are the services of machines, mail and names for example; above it people put theirs."""

# Libraries disagree about what these mean.
_STRANGE = re.compile(r"[\x00-\x20\x7f-\x9f\\^`{|}<>\"\s]")
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
_FORBIDDEN = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # carriers' own networks; a cloud's metadata is there, too
        "168.63.129.16/32",  # a public address by which a cloud's machines reach its services
        "192.0.0.0/24",  # protocol assignments, another cloud's metadata among them
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocol assignments, tunnels among them
        "2002::/16",  # 6to4: another address is in it
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def defect(url: str) -> str:
    """What is wrong with the form of an endpoint's address, in a sentence; empty if nothing is.

    Whether its host may be called is known when it is called: names change.
    """
    may_be_private = get_config().callbacks.allow_private_addresses
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return gettext("This is not an address.")
    if _STRANGE.search(url) or not url.isprintable():
        return gettext("The address holds spaces or characters that no address has. Write them percent-encoded.")
    if parts.scheme not in (("https", "http") if may_be_private else ("https",)):
        return gettext("Only HTTPS is allowed: the address must begin with https://.")
    if "@" in parts.netloc:
        return gettext("The address holds a user name or password. The receiver knows us by the signature instead.")
    if not parts.hostname:
        return gettext("The address names no host.")
    if "#" in url:
        return gettext("The address holds a fragment (what follows #), which is never sent. Leave it out.")
    if may_be_private:
        return ""
    return _defect_of_host(parts, port)


def _defect_of_host(parts: SplitResult, port: int | None) -> str:
    if port is not None and port != HTTPS_PORT and port < FIRST_FREE_PORT:
        return gettext("The port must be %(https)d, or one from %(first)d.") % {
            "https": HTTPS_PORT,
            "first": FIRST_FREE_PORT,
        }
    host = parts.hostname or ""
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost") or not is_public(host, if_name=True):
        return gettext("This is an address of this machine or network. Callbacks go out to the world only.")
    return ""


def is_public(text: str, *, if_name: bool = False) -> bool:
    """Whether an IP address belongs to the world: to no private, local or special network, nor wraps such an address.

    Arguments:
        text: the address; one of IPv6 may be in the form with a zone, which is none of the world.
        if_name: the answer where it is no IP address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return if_name
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _NAT64:
            # How a network without IPv4 writes one; what is behind it counts.
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
        # IPv4 in another disguise, and all that is not given out to anybody, is outside of this network.
        if address not in _GLOBAL_V6:
            return False
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not is_special and not any(address in network for network in _FORBIDDEN)


def check(addresses: Iterable[str]) -> None:
    """Refuse a host of which any address is not public: which of them would be taken is not known.

    Raises:
        CallbackRefused: the text does not tell the address, which is this network's secret.
    """
    if get_config().callbacks.allow_private_addresses:
        return
    if not all(map(is_public, addresses)):
        raise CallbackRefused(
            "The endpoint's host has an address of this machine or of a private or special network, so nothing was "
            "sent. Callbacks go out to the world only; correct the endpoint's address, or its host's name entry."
        )
