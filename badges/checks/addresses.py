"""Reading addresses that stand in settings."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def split_address(url: str) -> SplitResult | None:
    """The parts of an address; None where it cannot be read."""
    try:
        parts = urlsplit(url)
        # Read lazily, and it may be what is wrong.
        _ = parts.hostname
    except ValueError:
        return None
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
