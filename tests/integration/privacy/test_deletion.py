"""A user record is deleted, with all that refers to it, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from badges.models import (
    Application,
    Badge,
    BadgeNotification,
    BadgeProgress,
    Callback,
    Delivery,
    DeliveryAttempt,
    EmployeeRecord,
    Evidence,
    Fulfillment,
    ProviderBadge,
    Review,
    ReviewItem,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def learner() -> Any:
    """A learner with a row of everything that refers to one."""
    learner = factories.UserFactory()
    badge = factories.BadgeFactory(user=learner)
    delivery = factories.DeliveryFactory(badge=badge)
    DeliveryAttempt.objects.create(
        delivery=delivery, number=1, started_at=timezone.now(), duration_ms=1, outcome="retry"
    )
    factories.CallbackDeliveryFactory(callback__badge=badge)
    BadgeNotification.objects.create(badge=badge, kind="sent", sent_at=timezone.now())
    factories.ProviderBadgeFactory(badge=badge)
    factories.FulfillmentFactory(progress=factories.BadgeProgressFactory(user=learner))
    factories.EmployeeRecordFactory(user=learner)
    application = Application.objects.create(
        template=factories.BadgeTemplateFactory(), user=learner, submitted_at=timezone.now()
    )
    Evidence.objects.create(application=application, kind="text", text="I did it.")
    review = Review.objects.create(application=application, reviewed_at=timezone.now())
    ReviewItem.objects.create(review=review)
    factories.CallbackDeliveryFactory(callback__badge=None, callback__review=review, callback__action="review")
    return learner


def test_a_learner_is_deleted_with_badges_progress_and_applications(learner: Any) -> None:
    other = factories.DeliveryFactory()

    learner.delete()

    assert list(Badge.objects.all()) == [other.badge]
    assert list(Delivery.objects.all()) == [other]
    for model in (
        *(BadgeNotification, BadgeProgress, Fulfillment, Callback, DeliveryAttempt),
        *(Application, Evidence, Review, ReviewItem),
    ):
        assert not model.objects.exists()
    # Known by name and address: see the page on privacy.
    assert EmployeeRecord.objects.get().user is None
    assert ProviderBadge.objects.get().badge is None


def test_an_application_is_deleted_with_what_is_told_of_its_reviews(learner: Any) -> None:
    Application.objects.get().delete()

    assert Callback.objects.get().badge is not None
    assert Delivery.objects.count() == 2


def test_an_endpoint_is_deleted_with_what_it_is_told(learner: Any) -> None:
    for callback in Callback.objects.all():
        callback.endpoint.delete()

    assert not Callback.objects.exists()
    assert Delivery.objects.get().badge is not None
