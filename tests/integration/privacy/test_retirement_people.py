"""A learner retires: who is meant, where several share what they are known by, and where names have changed before."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from badges.exceptions import UnreadablePayload
from badges.models import Application, DeadEvent, EmployeeRecord
from badges.privacy.retirement import retire
from badges.processing.dead_events import incoming, park
from tests import factories
from tests.integration.privacy.leaving import EMAIL, NAME, everything

pytestmark = pytest.mark.django_db
FORMER = "anna-before"


@pytest.fixture
def anna() -> Any:
    """Whose username was replaced, and whose address and name were cleared, before she is retired here."""
    return factories.UserFactory(username="retired__user_1", email="", full_name="", lms_user_id=7)


def dead(username: str = FORMER, **user: Any) -> DeadEvent:
    told = factories.passing_status(username, **user)
    return park(incoming(factories.metadata(), {"course_passing_status": told}), UnreadablePayload("Too early."))


def test_an_event_from_before_the_username_was_replaced_is_known_by_its_lms_user_id(anna: Any) -> None:
    mine, others = dead(id=7), dead("berta", id=8)

    assert retire(anna)["dead_events"] == 1
    mine.refresh_from_db()
    others.refresh_from_db()
    assert (mine.payload, mine.status) == ({}, "discarded")
    assert others.status == "waiting"
    assert FORMER not in everything()
    assert retire(anna)["dead_events"] == 0


def test_from_an_event_of_somebody_else_the_former_names_of_staff_are_removed(anna: Any) -> None:
    others = dead("berta", id=8)
    others.metadata = {**others.metadata, "by": {"id": 7, "pii": {"username": FORMER, "email": EMAIL, "name": NAME}}}
    others.save()

    assert retire(anna)["dead_events"] == 1
    others.refresh_from_db()
    assert others.status == "waiting"
    assert FORMER not in everything()
    assert EMAIL not in everything()
    assert retire(anna)["dead_events"] == 0


def test_without_a_user_record_the_lms_user_id_tells_as_well(db: None) -> None:
    dead(id=7)

    assert retire(None, lms_user_id=7)["dead_events"] == 1
    assert retire(None, lms_user_id=0)["dead_events"] == 0


def test_the_record_of_an_employee_who_is_somebody_else_with_the_same_address_stays(db: None) -> None:
    anna, other = (factories.UserFactory(username=name, email=EMAIL) for name in ("anna", "bert"))
    for user in (anna, other, None):
        factories.EmployeeRecordFactory(user=user, email=EMAIL)

    assert retire(anna)["employees"] == 2
    assert EmployeeRecord.objects.get(is_minimal=False).user == other


def test_the_log_of_what_was_done_to_deliveries_and_applications_does_not_name_the_learner(db: None) -> None:
    learners = {username: factories.UserFactory(username=username) for username in ("anna", "joanna")}
    for username, user in learners.items():
        application = Application.objects.create(
            template=factories.BadgeTemplateFactory(), user=user, submitted_at=timezone.now()
        )
        for row in (factories.DeliveryFactory(badge__user=user), application):
            LogEntry.objects.create(
                user=factories.UserFactory(),
                content_type=ContentType.objects.get_for_model(row),
                object_id=str(row.pk),
                object_repr=str(row),
                action_flag=CHANGE,
                change_message=f"Cancelled by hand: {username} wants it.",
            )
    anna = learners["anna"]

    assert retire(anna, is_dry_run=True)["admin_log"] == retire(anna)["admin_log"] == 2
    told = sorted(LogEntry.objects.values_list("change_message", flat=True))
    assert told == 2 * ["Cancelled by hand: [removed] wants it."] + 2 * ["Cancelled by hand: joanna wants it."]
