"""A learner retires: nothing that names them is left, and nothing of anybody else is touched."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from attrs import evolve
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from badges.data import IncomingEvent
from badges.exceptions import UnreadablePayload
from badges.models import (
    Application,
    BadgeNotification,
    Callback,
    DeadEvent,
    Delivery,
    DeliveryAttempt,
    EmployeeBadge,
    EmployeeRecord,
    Evidence,
    ProviderBadge,
    Review,
    ReviewItem,
)
from badges.privacy.retirement import retire
from badges.processing.dead_events import incoming, park
from badges.processing.replaying import replay
from badges.webhooks.applying.employment import apply_employment
from tests import factories
from tests.integration.webhooks.employees import change

pytestmark = pytest.mark.django_db
EMAIL, NAME = "anna@example.com", "Anna Maria Lee"


@pytest.fixture
def anna() -> Any:
    return factories.UserFactory(username="anna", email=EMAIL, full_name=NAME)


@pytest.fixture
def other() -> Any:
    return factories.UserFactory(username="joanna", email="joanna@example.com", full_name="Joanna Park")


def everything() -> str:
    """All that this app has stored, and Django's log of the admin; of the keys of users, nothing."""
    models: list[Any] = [model for model in apps.get_app_config("badges").get_models() if not model._meta.proxy]
    rows = [row for model in [*models, LogEntry] for row in model._base_manager.values()]
    return json.dumps(rows, default=str).casefold()


def event(username: str, **staff: Any) -> IncomingEvent:
    return incoming(factories.metadata(), {"course_passing_status": factories.passing_status(username), **staff})


class TestDeadEvents:
    def test_an_event_of_the_learner_is_emptied_and_never_replayed(self, anna: Any) -> None:
        dead = park(event("anna"), UnreadablePayload("It was too early."))

        assert retire(anna)["dead_events"] == 1
        dead.refresh_from_db()
        assert (dead.payload, dead.status, dead.note) == (
            {},
            DeadEvent.Status.DISCARDED,
            "It was emptied: its learner was retired.",
        )
        assert EMAIL not in everything()

    def test_parked_again_it_stays_empty(self, anna: Any) -> None:
        told = event("anna")
        park(told, UnreadablePayload("It was too early."))
        retire(anna)
        park(told, UnreadablePayload("It was too early again."))

        assert EMAIL not in everything()

    def test_one_that_was_replayed_stays_replayed(self, anna: Any) -> None:
        dead = park(event("anna"), UnreadablePayload("It was too early."))
        DeadEvent.objects.filter(pk=dead.pk).update(status="replayed")
        retire(anna)

        dead.refresh_from_db()
        assert (dead.payload, dead.status) == ({}, "replayed")

    def test_an_event_of_somebody_else_is_not_touched(self, anna: Any) -> None:
        dead = park(event("joanna"), UnreadablePayload("It was too early."))
        before = DeadEvent.objects.values().get()

        assert retire(anna)["dead_events"] == 0
        assert DeadEvent.objects.values().get(pk=dead.pk) == before

    def test_an_event_of_somebody_else_with_the_same_address_is_kept_without_it(self, anna: Any) -> None:
        factories.UserFactory(username="bert", email=EMAIL)
        told = factories.passing_status("bert")
        told = evolve(told, user=evolve(told.user, pii=evolve(told.user.pii, email=EMAIL)))
        dead = park(incoming(factories.metadata(), {"course_passing_status": told}), UnreadablePayload("Too early."))

        assert retire(anna)["dead_events"] == 1
        dead.refresh_from_db()
        assert dead.status == DeadEvent.Status.WAITING
        assert EMAIL not in everything()
        factories.RequirementFactory()
        replay(dead)
        assert DeadEvent.objects.get().status == DeadEvent.Status.REPLAYED

    def test_an_event_with_the_address_and_a_username_of_nobody_is_the_learners(self, anna: Any) -> None:
        told = factories.passing_status("anna-before")
        told = evolve(told, user=evolve(told.user, pii=evolve(told.user.pii, email=EMAIL)))
        dead = park(incoming(factories.metadata(), {"course_passing_status": told}), UnreadablePayload("Too early."))
        retire(anna)

        dead.refresh_from_db()
        assert (dead.payload, dead.status) == ({}, "discarded")

    def test_from_an_event_of_somebody_else_only_the_name_is_removed(self, anna: Any) -> None:
        dead = park(event("joanna"), UnreadablePayload("It was too early."))
        dead.metadata = {**dead.metadata, "requesting_user": {"username": "anna", "email": EMAIL}}
        dead.save()

        assert retire(anna)["dead_events"] == 1
        dead.refresh_from_db()
        assert dead.status == DeadEvent.Status.WAITING
        assert '"anna' not in everything()
        factories.RequirementFactory()
        replay(dead)
        assert DeadEvent.objects.get().status == DeadEvent.Status.REPLAYED

    @pytest.mark.parametrize("content", [b"\x00\x08anna\x06", b"\x01 anna@example.com\xff", b"anna@example.com"])
    def test_a_message_that_nobody_could_decode_is_emptied(self, anna: Any, content: bytes) -> None:
        body = {"event_data": base64.b64encode(content).decode()}
        mine = factories.DeadEventFactory(event_id=None, body=body, kind="unreadable", message_id="1-1")
        others = factories.DeadEventFactory(
            event_id=None,
            body={"event_data": base64.b64encode(b"\x0cjoanna").decode()},
            kind="unreadable",
            message_id="1-2",
        )

        assert retire(anna)["dead_events"] == 1
        mine.refresh_from_db()
        others.refresh_from_db()
        assert (mine.body, mine.status) == (None, "discarded")
        assert (others.body is not None, others.status) == (True, "waiting")


def test_employees_are_emptied_with_their_badges(anna: Any, other: Any) -> None:
    linked = factories.EmployeeRecordFactory(user=anna, email="work@example.com", team="Platform")
    by_address = factories.EmployeeRecordFactory(email=EMAIL.upper(), photo_url="https://example.com/a.png")
    others = factories.EmployeeRecordFactory(user=other, email=other.email)
    for employee in (linked, by_address, others):
        factories.EmployeeBadgeFactory(employee=employee)

    assert retire(anna)["employees"] == 2
    for row in EmployeeRecord.objects.exclude(pk=others.pk):
        assert (row.user, row.email, row.full_name, row.team, row.photo_url, row.is_minimal) == (
            *(None, "", "", "", "", True),
        )
    assert EmployeeBadge.objects.get().employee == others


def test_an_employee_is_not_filled_again_by_an_event_from_before(anna: Any) -> None:
    record = factories.EmployeeRecordFactory(user=anna, email=EMAIL)
    retire(anna)
    told = change(5)
    with transaction.atomic():
        again = evolve(told, employment=evolve(told.employment, employment_id=record.employment_id))
        apply_employment(again, record.account)

    assert EmployeeRecord.objects.get().full_name == ""


def test_badges_that_are_only_at_the_provider_are_deleted_by_address(anna: Any, other: Any) -> None:
    factories.ProviderBadgeFactory(email=EMAIL.upper())
    kept = factories.ProviderBadgeFactory(email=other.email)

    assert retire(anna)["provider_badges"] == 1
    assert ProviderBadge.objects.get() == kept


def test_applications_go_with_evidence_files_reviews_and_what_is_told_of_them(
    anna: Any,
    other: Any,
    settings: Settings,
    tmp_path: Any,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.MEDIA_ROOT = tmp_path
    mine = [
        Application.objects.create(template=factories.BadgeTemplateFactory(), submitted_at=timezone.now(), **whose)
        for whose in ({"user": anna}, {"learner_email": EMAIL.upper()})
    ]
    kept = Application.objects.create(
        template=factories.BadgeTemplateFactory(), user=other, submitted_at=timezone.now()
    )
    for application in (*mine, kept):
        review = Review.objects.create(application=application, reviewed_at=timezone.now(), author=anna)
        ReviewItem.objects.create(review=review, description="It is done.")
        Callback.objects.create(endpoint=factories.CallbackEndpointFactory(), action="review", review=review)
        with transaction.atomic():
            Evidence.objects.create(
                application=application,
                kind="file",
                file=ContentFile(b"My diary.", name=f"{application.slug}.txt"),
                file_name="diary.txt",
            )

    with django_capture_on_commit_callbacks(execute=True):
        told = retire(anna)

    assert told["applications"] == 2
    assert Application.objects.get() == kept
    for model in (Review, ReviewItem, Evidence, Callback):
        assert model.objects.count() == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [Evidence.objects.get().file.path] == [str(path) for path in files]


def test_a_similar_address_is_another_persons(anna: Any) -> None:
    """MySQL takes letters with accents for the same as those without."""
    name, _, host = EMAIL.partition("@")
    for similar in (f"{name}@{host.replace('a', 'ä')}", f"{name.replace('a', 'á')}@{host}"):
        factories.ProviderBadgeFactory(email=similar)
    retire(anna)
    assert ProviderBadge.objects.count() == 2


def test_of_reviews_of_others_the_address_of_the_reviewer_goes(anna: Any, other: Any) -> None:
    application = Application.objects.create(
        template=factories.BadgeTemplateFactory(), user=other, submitted_at=timezone.now()
    )
    Review.objects.create(
        application=application, reviewed_at=timezone.now(), author_email=EMAIL.upper(), comment="Good."
    )

    assert retire(anna)["reviews"] == 1
    assert (Review.objects.get().author_email, Review.objects.get().comment) == ("", "Good.")


def test_the_evidence_of_fulfilments_loses_what_is_personal(anna: Any, other: Any) -> None:
    evidence = {"user.pii.email": EMAIL, "user.pii.name": NAME, "is_passing": True, "course.course_key": "a"}
    factories.FulfillmentFactory(progress=factories.BadgeProgressFactory(user=anna), evidence=evidence)
    kept = factories.FulfillmentFactory(progress=factories.BadgeProgressFactory(user=other), evidence=evidence)

    assert retire(anna)["evidence"] == 1
    assert anna.badge_progress.get().fulfillments.get().evidence == {"is_passing": True, "course.course_key": "a"}
    kept.refresh_from_db()
    assert kept.evidence == evidence


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", NAME),
        ("name", "A. M. Lee"),
        ("user.id", 7),
        ("course.display_name", NAME.upper()),
        ("course.display_name", f"A course for {EMAIL}"),
    ],
)
def test_a_name_in_evidence_is_personal_wherever_the_event_has_it(anna: Any, path: str, value: Any) -> None:
    factories.FulfillmentFactory(
        progress=factories.BadgeProgressFactory(user=anna),
        event_type="org.openedx.learning.certificate.created.v1",
        evidence={path: value, "mode": "verified"},
    )

    assert retire(anna)["evidence"] == 1
    assert anna.badge_progress.get().fulfillments.get().evidence == {"mode": "verified"}


def test_notifications_go(anna: Any, other: Any) -> None:
    for user in (anna, other):
        badge = factories.BadgeFactory(user=user)
        BadgeNotification.objects.create(badge=badge, kind="no_user", sent_at=timezone.now())

    assert retire(anna)["notifications"] == 1
    assert BadgeNotification.objects.get().badge.user == other


def test_nothing_more_is_sent_about_the_learner_but_a_revocation(anna: Any, other: Any) -> None:
    badge = factories.BadgeFactory(user=anna)
    for action in ("announce_awarded", "issue", "announce_revoked", "revoke"):
        factories.DeliveryFactory(badge=badge, action=action)
    factories.CallbackDeliveryFactory(callback__badge=badge)
    done = factories.DeliveryFactory(badge=factories.BadgeFactory(user=anna), status="done")
    others = factories.DeliveryFactory(badge=factories.BadgeFactory(user=other))

    assert retire(anna)["deliveries_cancelled"] == 4
    assert set(Delivery.objects.exclude(status="cancelled")) == {
        done,
        others,
        Delivery.objects.get(badge=badge, action="revoke"),
    }


def test_what_staff_wrote_and_what_was_not_recognized_is_redacted(anna: Any) -> None:
    delivery = factories.DeliveryFactory(
        badge__user=anna, status="done", note="Anna Maria Lee asked for it.", last_error=f"Refused for {EMAIL}."
    )
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=timezone.now(),
        duration_ms=1,
        outcome="done",
        detail="Issued to anna.",
        exchanges=[{"asked": f'{{"name": "{NAME}"}}', "status": 200}],
    )

    assert retire(anna)["attempts"] == 2
    delivery.refresh_from_db()
    assert (delivery.note, delivery.last_error) == ("[removed] asked for it.", "Refused for [removed].")
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.detail, attempt.exchanges) == (
        "Issued to [removed].",
        [{"asked": '{"name": "[removed]"}', "status": 200}],
    )


def test_the_log_of_the_admin_does_not_name_the_learner(anna: Any, other: Any) -> None:
    for user in (anna, other):
        badge = factories.BadgeFactory(user=user, template__name="A badge")
        employee = factories.EmployeeRecordFactory(user=user, full_name=user.full_name)
        for row in (badge, employee):
            LogEntry.objects.create(
                user=other,
                content_type=ContentType.objects.get_for_model(row),
                object_id=str(row.pk),
                object_repr=str(row),
                action_flag=CHANGE,
                change_message=f"For {user.email}.",
            )

    assert retire(anna)["admin_log"] >= 2
    shown = set(LogEntry.objects.values_list("object_repr", "change_message"))
    assert shown == {
        ("A badge - [removed]", "For [removed]."),
        ("[removed]", "For [removed]."),
        ("A badge - joanna", "For joanna@example.com."),
        ("Joanna Park", "For joanna@example.com."),
    }


def test_after_it_nothing_that_is_stored_names_the_learner_and_again_it_finds_nothing(anna: Any) -> None:
    park(event("anna"), UnreadablePayload("It was too early."))
    factories.WebhookEventFactory(body=f'{{"email": "{EMAIL}"}}')
    factories.EmployeeRecordFactory(email=EMAIL, full_name=NAME)
    factories.ProviderBadgeFactory(email=EMAIL)
    factories.DeliveryFactory(badge__user=anna, note=f"For {EMAIL}")
    Application.objects.create(
        template=factories.BadgeTemplateFactory(), user=anna, submitted_at=timezone.now(), statement=f"I am {NAME}"
    )

    retire(anna)

    assert EMAIL not in everything()
    assert NAME.casefold() not in everything()
    assert not any(retire(anna).values())


def test_a_record_that_was_anonymized_before_is_found_by_its_former_name_and_address(anna: Any) -> None:
    anna.username, anna.email, anna.full_name = "retired__user_1", "retired__user_1@retired.invalid", ""
    anna.save()
    park(event("anna"), UnreadablePayload("It was too early."))
    factories.ProviderBadgeFactory(email=EMAIL)

    told = retire(anna, usernames=["anna"], emails=[EMAIL])

    assert (told["dead_events"], told["provider_badges"]) == (1, 1)
    assert EMAIL not in everything()


def test_somebody_without_an_address_finds_what_is_nobodys_untouched() -> None:
    nobody = factories.UserFactory(username="nobody", email="", full_name="")
    factories.ProviderBadgeFactory(email="")
    factories.EmployeeRecordFactory(email="", full_name="Somebody")
    factories.WebhookEventFactory(body='{"email": "", "user": ""}')
    factories.DeadEventFactory(payload={"user": {"username": "", "email": ""}})

    assert not any(retire(nobody).values())
