"""Sending a callback: the handler of its deliveries, and the test message."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from badges.conf import get_config
from badges.exceptions import AccountUnusable, CallbackRefused, NotDelivered, ProviderError
from badges.issuing import actions, callback_health
from badges.issuing import callback_messages as messages
from badges.issuing.actions import Done, Obsolete
from badges.issuing.addresses import absolute, base_url, is_described, is_hosted
from badges.issuing.callback_messages import Described, Message
from badges.issuing.callback_signing import headers
from badges.issuing.callback_transport import Answer, Post, post
from badges.issuing.callbacks import WANTED_BY
from badges.models import Badge, BadgeTemplate, Callback, CallbackEndpoint, Delivery, Review
from badges.providers.redaction import REMOVED, excerpt, masked

LONGEST_TOLD = 500
_PERSONAL = frozenset({"email", "learner", "author", "assignedTo", "comment", "reflection", "url"})
"""Fields of a message that name a person, or tell what one wrote."""


def send(delivery: Delivery) -> Done:
    """Send the callback of a delivery.

    Raises:
        Obsolete: the endpoint does not want it any more.
        NotDelivered: it was not taken now.
        CallbackRefused: it was refused for good, or cannot be told.
        ConfigurationError: this service does not know its own address, or the endpoint's secret is unusable.
    """
    callback = delivery.callback
    if callback is None:
        raise Obsolete("This delivery has no callback any more.")
    endpoint = callback.endpoint
    if not endpoint.is_active:
        raise Obsolete(f'The endpoint "{endpoint.name}" is switched off, so nothing more is sent to it.')
    if not getattr(endpoint, WANTED_BY[Callback.Action(callback.action)]):
        raise Obsolete(f'The endpoint "{endpoint.name}" does not want to be told of this any more.')
    answer = _post(endpoint, message_of(callback), callback.message_id)
    return Done(detail=f'Taken by "{endpoint.name}" (HTTP {answer.status}).')


def send_test(endpoint: CallbackEndpoint) -> Answer:
    """Send a message that tells nothing, signed as any other. What comes of it counts for the endpoint's health.

    Raises:
        ProviderError, ConfigurationError: see :func:`send`.
    """
    return _post(endpoint, messages.trial(endpoint.name, timezone.now()), uuid.uuid4())


def message_of(callback: Callback) -> Message:
    """What a callback tells, as things are now.

    Raises:
        CallbackRefused: the learner has no e-mail address, by which receivers know learners.
        ConfigurationError: this service does not know its own address.
    """
    if callback.badge is not None:
        return _about_badge(callback.badge, callback.action)
    if callback.review is not None:
        return _about_review(callback.review)
    raise Obsolete("What this callback was to tell of is not there any more.")


def register_handlers() -> None:
    """Let this module carry out its action."""
    actions.register(Delivery.Action.CALLBACK, send)


def _about_badge(badge: Badge, action: str) -> Message:
    email = _email(badge.user.email)
    described = _described(badge.template)
    if action == Callback.Action.REVOKE:
        return messages.revoke(badge, described, email=email)
    own_page = absolute("assertion", badge.uuid)
    return messages.award(badge, described, email=email, assertion_url=own_page if is_hosted(badge) else badge.url)


def _about_review(review: Review) -> Message:
    application = review.application
    learner = application.user.email if application.user is not None else application.learner_email
    author = review.author.email if review.author is not None else review.author_email
    assigned = application.assigned_to
    return messages.review(
        review,
        _described(application.template),
        learner=_email(learner),
        author=author,
        assigned_to=assigned.email if assigned is not None else "",
        evidence=list(application.evidence.all()),
        items=list(review.items.all()),
    )


def _email(address: str) -> str:
    if not address:
        raise CallbackRefused(
            "The learner has no e-mail address, by which the receiver knows learners. Enter it in the user record, "
            "then retry."
        )
    return address


def _described(template: BadgeTemplate) -> Described:
    issuer = get_config().issuer
    own_page = absolute("badge_class", template.uuid) if is_described(template) else ""
    pages = [one.get("url") for one in template.criteria if isinstance(one, dict)]
    return Described(
        template=template,
        criteria=list(template.review_criteria.all()),
        criteria_url=next((str(url) for url in pages if url), own_page),
        image_url=template.image_url or absolute("badge_image"),
        system={
            "id": 1,
            "slug": "openedx",
            "url": issuer.url or base_url(),
            "name": issuer.name or base_url(),
            "email": issuer.email or None,
            "imageUrl": issuer.image or None,
            "issuers": [],
        },
    )


# Neither the secret nor what is signed with it belongs into the report of an error.
@sensitive_variables()
def _post(endpoint: CallbackEndpoint, message: Message, message_id: uuid.UUID) -> Answer:
    body, now = messages.encoded(message), timezone.now()
    try:
        secret = endpoint.secret
    except AccountUnusable as error:
        # Of an account that would stop all of its deliveries; there is none.
        raise NotDelivered(f'The secret of the endpoint "{endpoint.name}" cannot be used. {error}') from None
    signed = headers(secret=secret, url=endpoint.url, body=body, message_id=str(message_id), now=now)
    private = (secret, signed["Authorization"], signed["webhook-signature"], *_addresses(message))
    told = excerpt(json.dumps(masked(_without_people(message), ()), ensure_ascii=False), private, LONGEST_TOLD - 1)
    try:
        answer = post(Post(endpoint.url, body, signed, told, private))
    except ProviderError as error:
        callback_health.failed(endpoint.pk, error)
        raise
    callback_health.succeeded(endpoint.pk)
    return answer


def _addresses(message: Message) -> list[str]:
    application, review = message.get("application") or {}, message.get("review") or {}
    found = (message.get("email"), application.get("learner"), application.get("assignedTo"), review.get("author"))
    return [address for address in found if address]


def _without_people(value: Any) -> Any:
    if isinstance(value, dict):
        # Of the badge's own description nothing is left out but the letters that do not fit.
        return {
            key: REMOVED if key in _PERSONAL and item else item if key == "badge" else _without_people(item)
            for key, item in value.items()
        }
    return [_without_people(item) for item in value] if isinstance(value, list) else value
