"""How often somebody may ask. The project sets other rates in DRF's ``DEFAULT_THROTTLE_RATES``, by scope."""

from __future__ import annotations

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle


class Asking(UserRateThrottle):
    """Any request: the scope ``badges``."""

    scope = "badges"
    default_rate = "300/min"

    def get_rate(self) -> Any:
        # Read anew, and not when the class was made: the project has the last word, and may say None.
        rates = api_settings.DEFAULT_THROTTLE_RATES
        return rates.get(self.scope, self.default_rate)

    def get_ident(self, request: Request) -> str:
        """Nobody's address, which may be whatever a header says: of a length that every cache takes as a key."""
        return hashlib.sha256(str(super().get_ident(request)).encode()).hexdigest()


class Applying(Asking):
    """Handing something in, with files: the scope ``badges_applying``."""

    scope = "badges_applying"
    default_rate = "30/hour"
