"""What a provider says of a badge, in words that a learner reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.data import OPENEDX_ORIGIN
from badges.exceptions import BadgesError
from badges.models import Badge
from badges.providers import registry

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Words of several providers, which mean the same wherever they are used. Another one is told as it came.
_STATES: Mapping[str, StrOrPromise] = {
    "accepted": _("The learner has accepted it."),
    "awarded": _("It is issued."),
    "created": _("It is being issued."),
    "deleted": _("It was deleted at the provider."),
    "error": _("It could not be issued yet."),
    "expired": _("It has expired."),
    "no_response": _("It is being issued."),
    "pending": _("It waits for the learner to accept it."),
    "published": _("It is issued."),
    "rejected": _("The learner has rejected it."),
    "replaced": _("It was replaced by another badge."),
    "revoked": _("It was revoked."),
    "unpublished": _("It is not published yet."),
}


def state_words(badge: Badge) -> str:
    """How a badge stands at its provider; empty where it has none."""
    if not badge.template.provider:
        return ""
    if badge.state:
        known = _STATES.get(badge.state)
        return str(known) if known is not None else gettext('The provider says: "%(state)s".') % {"state": badge.state}
    if badge.external_id:
        return gettext("It is issued.")
    return gettext("It is being issued.") if badge.is_awarded else gettext("It was never issued at the provider.")


def provider_name(slug: str) -> str:
    """A provider's name for people: its slug where its class cannot be loaded, the platform's where there is none."""
    if not slug:
        return "Open edX"
    try:
        return str(registry.provider_class(slug).label)
    except BadgesError:
        return slug


def is_origin(slug: str) -> bool:
    """Whether a provider is registered under this name; ``openedx`` stands for none."""
    return slug == OPENEDX_ORIGIN or slug in registry.registered()


def web_address(url: str) -> str | None:
    """An address that came from outside, if it may be put into a link or an image."""
    return url if url.startswith(("https://", "http://")) else None
