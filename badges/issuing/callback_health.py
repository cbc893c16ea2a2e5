"""How the endpoints of callbacks do: one that fails again and again rests, so that it does not hold up the others."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from badges.conf import get_config
from badges.exceptions import describe
from badges.issuing.callback_transport import Gone
from badges.issuing.retry import resting_time
from badges.models import CallbackEndpoint

logger = logging.getLogger(__name__)

SUCCESS_IS_WRITTEN_EVERY = timedelta(seconds=10)
"""So that a row that all workers share is not written by each of their calls."""
LONGEST_ERROR = 1000


def resting_endpoints() -> list[int]:
    """The ids of the endpoints to which nothing is sent now."""
    return list(CallbackEndpoint.objects.filter(paused_until__gt=timezone.now()).values_list("pk", flat=True))


def succeeded(endpoint_id: int) -> None:
    """The endpoint took a message."""
    now = timezone.now()
    is_news = Q(last_success_at__isnull=True) | Q(last_success_at__lt=now - SUCCESS_IS_WRITTEN_EVERY)
    was_bad = Q(failures__gt=0) | Q(paused_until__isnull=False) | ~Q(last_error="")
    known = CallbackEndpoint.objects.filter(is_news | was_bad, pk=endpoint_id)
    known.update(failures=0, paused_until=None, last_error="", last_success_at=now)


def failed(endpoint_id: int, error: Exception) -> None:
    """The endpoint did not take a message. After some in a row it rests; where it asks for no more, it is switched off.

    Arguments:
        endpoint_id: of a stored endpoint.
        error: what sending raised; its text holds no secret.
    """
    known = CallbackEndpoint.objects.filter(pk=endpoint_id)
    known.update(failures=F("failures") + 1, last_error=describe(error)[:LONGEST_ERROR])
    row = known.values_list("failures", "name").first()
    if row is None:
        return
    failures, name = row
    if isinstance(error, Gone):
        if known.filter(is_active=True).update(is_active=False):
            logger.error(
                'The callback endpoint "%s" answered that it wants no more messages (410), and was switched off.',
                name,
                extra={"action": "callback_endpoint_gone", "endpoint": endpoint_id},
            )
        return
    config = get_config().deliveries
    if failures < config.failures:
        return
    rests = failures - int(config.failures) + 1
    until = timezone.now() + resting_time(rests, first=config.pause, longest=config.longest_pause)
    known.update(paused_until=until)
    logger.warning(
        'The callback endpoint "%s" rests until %s after %d failures in a row: %s',
        name,
        until.isoformat(timespec="seconds"),
        failures,
        describe(error),
        extra={"action": "callback_endpoint_rests", "endpoint": endpoint_id},
    )


def wake(endpoint_id: int) -> None:
    """Send to an endpoint again at once: its address or secret was changed, or a person asks for it."""
    CallbackEndpoint.objects.filter(pk=endpoint_id).update(failures=0, paused_until=None)
