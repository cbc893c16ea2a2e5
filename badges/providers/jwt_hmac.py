"""JSON Web Signatures with HS256 and a secret of any length, as systems that speak BadgeKit's language have them."""

from __future__ import annotations

from collections.abc import Sequence

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm


class _AnyLength(HMACAlgorithm):
    """A secret is what an operator chose, however short: a warning with each request would help nobody."""

    def check_key_length(self, key: bytes) -> str | None:
        return None


def signatures(names: Sequence[str] = ("HS256",)) -> PyJWS:
    """Signs, and tells whether a signature is genuine. No other algorithm is known, so that no token can ask for one.

    Arguments:
        names: what a token may call the algorithm.
    """
    found = PyJWS(algorithms=[])
    for name in names:
        found.register_algorithm(name, _AnyLength(HMACAlgorithm.SHA256))
    return found
