"""Issuing, revoking and deleting at the provider: the handlers of these actions."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from badges.conf import get_config
from badges.data import Award, IssuedBadge
from badges.exceptions import ConfigurationError, DuplicateBadge, NotSent, NotShown, ProviderRejected
from badges.issuing import actions
from badges.issuing.actions import Done, LeaseLost, Obsolete
from badges.models import Badge, Delivery
from badges.models.users import full_name_of, username_of
from badges.providers.base import Provider
from badges.providers.registry import connect

REVOCATION_REASON = "The learner no longer fulfils the requirements of this badge."


def award_of(badge: Badge) -> Award:
    """A badge as providers take it.

    Raises:
        NotSent: its template has no counterpart at the provider.
    """
    user = badge.user
    if not badge.template.external_id:
        raise NotSent(f'The template "{badge.template.name}" has no identifier at its provider. Sync it.')
    return Award(
        uuid=badge.uuid,
        template_external_id=badge.template.external_id,
        email=user.email,
        name=full_name_of(user) or username_of(user),
        issued_at=badge.awarded_at,
        description=badge.template.description,
    )


def issue(delivery: Delivery) -> Done:
    """Issue a badge. Where an earlier attempt may have done it, the provider is asked first.

    Raises:
        ProviderError: see :mod:`badges.exceptions`.
    """
    badge = delivery.own_badge
    if not badge.is_awarded:
        raise Obsolete("The badge was revoked before it was issued, so it is not issued any more.")
    provider, award = _provider_of(badge), award_of(badge)
    if not award.email:
        raise NotSent(
            f"The learner (user {badge.user_id}) has no e-mail address, and a badge cannot be issued without "
            "one. Enter it in the user record, then retry."
        )
    # Only a first attempt can be sure that no answer was lost before it.
    if delivery.attempts > 1:
        if held := _valid(provider.find_issued(award)):
            return Done(detail="Found at the provider, where an earlier attempt had issued it.", issued=held)
        extend_lease(delivery)
    try:
        issued = provider.issue(award)
    except DuplicateBadge:
        held = provider.find_issued(award)
        if held is None:
            # A provider's search can lag behind what it holds, so this is looked up again, not given up.
            raise NotShown(
                f"{provider.label} says that the learner has this badge already, but does not show it. "
                "It is looked up again later.",
                outcome_unknown=True,
            ) from None
        if not held.is_valid:
            raise
        return Done(detail="The provider held this badge already; it was adopted.", issued=held)
    if not issued.is_valid:
        raise ProviderRejected(f'{provider.label} answered a badge that is not valid: its state is "{issued.state}".')
    return Done(detail="Issued.", issued=issued)


def revoke(delivery: Delivery) -> Done:
    """Take a badge away at the provider. One that the provider never got needs nothing.

    Raises:
        ProviderError: see :mod:`badges.exceptions`.
    """
    badge = delivery.own_badge
    provider, award = _provider_of(badge), award_of(badge)
    held, why_not = _held(delivery, provider, award)
    if held is None:
        return Done(detail=f"{why_not}, so there is nothing to revoke.")
    if not held.is_valid:
        return Done(detail="It is not valid at the provider any more.", issued=held)
    return Done(detail="Revoked.", issued=provider.revoke(held.external_id, award=award, reason=REVOCATION_REASON))


def delete(delivery: Delivery) -> Done:
    """Delete a badge at the provider. One whose issue may have got there is looked for first.

    Raises:
        ProviderError: see :mod:`badges.exceptions`.
    """
    badge = delivery.own_badge
    provider, award = _provider_of(badge), award_of(badge)
    held, why_not = _held(delivery, provider, award)
    if held is None:
        return Done(detail=f"{why_not}, so there is nothing to delete.", is_deleted=True)
    provider.delete(held.external_id, award=award)
    return Done(detail="Deleted at the provider.", is_deleted=True)


def extend_lease(delivery: Delivery) -> None:
    """Begin the lease anew, because a look-up may have used most of it up.

    Raises:
        LeaseLost: it has run out, and another worker has the delivery.
    """
    leased_until = timezone.now() + timedelta(seconds=get_config().deliveries.lease)
    still_ours = Delivery.objects.filter(
        pk=delivery.pk, status=Delivery.Status.IN_PROGRESS, lease_token=delivery.lease_token
    )
    if not still_ours.update(leased_until=leased_until):
        raise LeaseLost("The look-up at the provider took longer than the lease.")


def register_handlers() -> None:
    """Let these functions carry out their actions."""
    actions.register(Delivery.Action.ISSUE, issue)
    actions.register(Delivery.Action.REVOKE, revoke)
    actions.register(Delivery.Action.DELETE, delete)


def _provider_of(badge: Badge) -> Provider:
    account = badge.template.account
    if account is None:
        raise ConfigurationError(f'The template "{badge.template.name}" has no provider account any more.')
    return connect(account.as_data())


def _held(delivery: Delivery, provider: Provider, award: Award) -> tuple[IssuedBadge | None, str]:
    """The badge that is to be taken away at the provider, as it is known, else looked for; or why there is none.

    Two learners may share an address, and then a badge at the provider: it is not taken from the one who holds it.
    """
    badge = delivery.own_badge
    held: IssuedBadge | None = IssuedBadge(badge.external_id, badge.state)
    if not badge.external_id:
        held = provider.find_issued(award)
        extend_lease(delivery)
    if held is None:
        return None, "The provider does not hold this badge"
    same = Badge.objects.filter(external_id=held.external_id, template__account_id=badge.template.account_id)
    if same.filter(status=Badge.Status.AWARDED).exclude(user_id=badge.user_id).exists():
        return None, "Another learner holds this badge at the provider"
    return held, ""


def _valid(held: IssuedBadge | None) -> IssuedBadge | None:
    return held if held is not None and held.is_valid else None
