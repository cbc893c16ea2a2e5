"""Badges of the built-in module: what is told of them, and what is still to be told."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from badges.data import Award, IssuedBadge
from badges.host.adoption import awards as words
from badges.host.adoption import tables
from badges.host.adoption.awards import BADGES, COMPLETE, WAITING
from badges.host.adoption.learners import NO_USER, OTHER_PROVIDER
from badges.host.adoption.leftovers import TEMPLATE_GONE, report_orphans
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.progress import HERE
from badges.issuing import tasks
from badges.issuing.sweep import sweep
from badges.models import Badge, BadgeProgress, Callback, Delivery
from tests.factories import BadgeFactory, CallbackEndpointFactory, CredlyBadgeTemplateFactory, UserFactory
from tests.integration.host.adopting import Adoption, adoption, told
from tests.integration.host.built_in import EARNED, BuiltIn

CREATE, MERGE, SKIP, CANNOT = Outcome
LATER = EARNED + timedelta(days=3)


@pytest.fixture
def template(built_in: BuiltIn) -> Adoption:
    """A Credly template with one requirement, and anna."""
    UserFactory(username="anna")
    made = adoption(built_in)
    made.requirement()
    return made


def deliveries() -> dict[str, str]:
    """Action -> status, in the order of ids."""
    return dict(Delivery.objects.order_by("pk").values_list("action", "status"))


def earn(template: Adoption, username: str) -> None:
    """Let a learner have fulfilled everything there."""
    requirements = [tables.BadgeRequirement.objects.get(pk=pk) for pk in template.requirements]
    template.built_in.progress(template.there, username, requirements)


def test_a_badge_keeps_its_uuid_its_identifier_and_its_times(template: Adoption) -> None:
    external = uuid.uuid4()
    there = template.badge("anna", external_uuid=external)

    report = template.run()

    badge = Badge.objects.get()
    assert (badge.uuid, badge.user.username, badge.template) == (there.uuid, "anna", template.here)
    assert (badge.status, badge.state, badge.external_id) == ("awarded", "accepted", str(external))
    assert (badge.awarded_at, badge.revoked_at) == (EARNED, None)
    assert told(report, BADGES) == {(CREATE, ""): 1}


def test_what_was_told_and_issued_there_is_not_told_and_issued_again(template: Adoption) -> None:
    template.badge("anna")

    template.run()

    assert deliveries() == {"announce_awarded": "done", "issue": "done"}
    assert set(Delivery.objects.values_list("note", flat=True)) == {words.NOTE}


def test_nobody_is_told_of_an_adopted_badge(
    template: Adoption, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    CallbackEndpointFactory()
    template.badge("anna", external_uuid=None, state="error")
    enqueued: list[int] = []
    monkeypatch.setattr(tasks, "enqueue_on_commit", lambda *ids: enqueued.extend(ids))

    with django_capture_on_commit_callbacks() as callbacks:
        template.run()

    assert (callbacks, enqueued) == ([], [])
    assert not Callback.objects.exists()


@pytest.mark.parametrize("state", ["created", "no_response", "error"])
def test_a_badge_that_was_never_issued_waits_for_the_sweep(template: Adoption, state: str) -> None:
    template.badge("anna", external_uuid=None, state=state)

    report = template.run()

    delivery = Delivery.objects.get(action="issue")
    assert (delivery.status, delivery.finished_at) == ("pending", None)
    assert delivery.next_attempt_at <= timezone.now()
    assert Badge.objects.get().state == ""
    assert told(report, WAITING) == {(CREATE, words.ISSUED_NOW): 1}


def test_the_provider_is_asked_before_it_issues_what_may_have_been_issued(
    template: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = IssuedBadge(external_id="at-credly", state="pending")
    found: list[uuid.UUID] = []
    provider = "badges.providers.credly.provider.CredlyProvider"

    def find(self: object, award: Award) -> IssuedBadge:
        found.append(award.uuid)
        return held

    monkeypatch.setattr(f"{provider}.find_issued", find)
    monkeypatch.setattr(f"{provider}.issue", lambda self, award: pytest.fail("It would be issued twice."))
    template.badge("anna", external_uuid=None, state="error")
    template.run()

    sweep()

    badge = Badge.objects.get()
    assert found == [badge.uuid]
    assert badge.external_id == "at-credly"
    assert deliveries() == {"announce_awarded": "done", "issue": "done"}


def test_a_revoked_badge_stays_revoked(template: Adoption) -> None:
    template.badge("anna", status="revoked", state="revoked", modified=LATER)

    template.run()

    badge = Badge.objects.get()
    assert (badge.status, badge.awarded_at, badge.revoked_at) == ("revoked", EARNED, LATER)
    assert deliveries() == dict.fromkeys(("announce_awarded", "issue", "announce_revoked", "revoke"), "done")


@pytest.mark.parametrize("state", ["accepted", "pending", "rejected", "error"])
def test_a_revocation_that_failed_there_waits_for_the_sweep(template: Adoption, state: str) -> None:
    template.badge("anna", status="revoked", state=state, modified=LATER)

    report = template.run()

    assert deliveries() == {
        "announce_awarded": "done",
        "issue": "done",
        "announce_revoked": "done",
        "revoke": "pending",
    }
    assert told(report, WAITING) == {(CREATE, words.REVOKED_NOW): 1}


def test_a_revoked_badge_that_nobody_ever_had_is_left_out(template: Adoption) -> None:
    there = template.badge("anna", status="revoked", external_uuid=None, state="created")

    report = template.run()

    assert not Badge.objects.exists()
    assert told(report, BADGES) == {(SKIP, words.NOBODY_HAD_IT): 1}
    assert [line.examples for line in report.lines()] == [(str(there.pk),)]


def test_a_badge_of_accredible_has_its_number(built_in: BuiltIn) -> None:
    UserFactory(username="anna")
    template = adoption(built_in, "accredible")
    template.badge("anna", external_id=4711)

    template.run()

    assert Badge.objects.get().external_id == "4711"
    assert deliveries() == {"announce_awarded": "done", "issue": "done"}


def test_an_expired_badge_of_accredible_is_revoked_already(built_in: BuiltIn) -> None:
    UserFactory(username="anna")
    template = adoption(built_in, "accredible")
    template.badge("anna", status="revoked", state="expired")

    template.run()

    assert Delivery.objects.get(action="revoke").status == "done"


def test_a_badge_of_a_template_without_an_account_is_issued_nowhere(template: Adoption) -> None:
    template.here.account = None
    template.here.save()
    template.badge("anna", external_uuid=None, state="created")

    template.run()

    assert deliveries() == {"announce_awarded": "done"}


def test_a_badge_of_nobody_is_told_of(template: Adoption) -> None:
    there = template.badge("gone")

    report = template.run()

    assert not Badge.objects.exists()
    assert told(report, BADGES) == {(CANNOT, NO_USER): 1}
    assert [line.examples for line in report.lines()] == [(str(there.pk),)]


def test_a_badge_that_is_here_already_is_left_alone(template: Adoption) -> None:
    there = template.badge("anna")
    template.run()
    Badge.objects.update(state="rejected")

    report = template.run()

    assert Badge.objects.get().state == "rejected"
    assert told(report, BADGES) == {(SKIP, HERE): 1}
    assert Badge.objects.get().uuid == there.uuid


@pytest.mark.parametrize("here", ["", "5d0a3f3e-8e5b-4d2c-9a9e-6a1f0c1f7a11"])
def test_a_badge_that_was_issued_here_and_there_is_for_somebody_to_look_at(template: Adoption, here: str) -> None:
    """After going back the module issues what it knows nothing of."""
    template.badge("anna")
    template.run()
    Badge.objects.update(external_id=here)

    report = template.run()

    assert Badge.objects.get().external_id == here
    assert told(report, BADGES) == {(SKIP, words.HERE_AND_ISSUED_THERE): 1}


def test_a_badge_that_was_revoked_here_since_stays_so(template: Adoption) -> None:
    template.badge("anna")
    template.run()
    Badge.objects.update(status="revoked", revoked_at=LATER)

    report = template.run()

    assert Badge.objects.get().status == "revoked"
    assert told(report, BADGES) == {(SKIP, words.HERE_AND_DIFFERENT): 1}


@pytest.mark.parametrize(("status", "reason"), [("awarded", words.ANOTHER_HERE), ("revoked", words.REVOKED_HERE)])
def test_another_badge_of_the_learner_here_is_kept(template: Adoption, status: str, reason: str) -> None:
    user = get_user_model().objects.get(username="anna")
    mine = BadgeFactory(user=user, template=template.here, status=status)
    template.badge("anna")

    report = template.run()

    assert Badge.objects.get() == mine
    assert told(report, BADGES) == {(CANNOT, reason): 1}


def test_an_identifier_of_another_badge_here_is_not_taken(template: Adoption) -> None:
    external = uuid.uuid4()
    other = BadgeFactory(template=CredlyBadgeTemplateFactory(), external_id=str(external))
    template.badge("anna", external_uuid=external)

    report = template.run()

    assert Badge.objects.get() == other
    assert told(report, BADGES) == {(CANNOT, words.EXTERNAL_ID_TAKEN): 1}


def test_a_uuid_of_another_badge_here_is_not_taken(template: Adoption) -> None:
    other = BadgeFactory()
    template.badge("anna", uuid=other.uuid)

    report = template.run()

    assert Badge.objects.get() == other
    assert told(report, BADGES) == {(CANNOT, words.UUID_TAKEN): 1}


def test_of_two_badges_of_one_learner_the_awarded_one_is_adopted(
    template: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Their usernames differ there, and lead to one user here.
    template.badge("anna", status="revoked", state="revoked")
    awarded = template.badge("Anna")
    anna = get_user_model().objects.get(username="anna").pk
    monkeypatch.setattr("badges.host.adoption.people.ids_of", lambda names: dict.fromkeys(names, anna))

    report = template.run()

    assert Badge.objects.get().uuid == awarded.uuid
    assert told(report, BADGES) == {(CREATE, ""): 1, (CANNOT, words.ANOTHER_HERE): 1}


def test_a_badge_of_the_provider_whose_template_was_overwritten_is_told_of(built_in: BuiltIn) -> None:
    UserFactory(username="anna")
    template = adoption(built_in, "accredible")
    built_in.credly_badge(template.there, "anna")

    report = template.run()

    assert not Badge.objects.exists()
    assert told(report, BADGES) == {(CANNOT, OTHER_PROVIDER): 1}
    assert template.advanced == 1


def test_a_record_that_this_app_keeps_in_the_hosts_table_is_none_of_the_built_in_module(template: Adoption) -> None:
    template.built_in.credential(template.there, "anna", "credlybadgetemplate")

    report = template.run()

    assert not Badge.objects.exists()
    assert not list(report.lines())


def test_badges_of_a_template_that_is_gone_are_told_of_once(template: Adoption) -> None:
    template.badge("anna")
    lost = template.badge("berta")
    tables.UserCredential.objects.filter(pk=lost.pk).update(credential_id=template.there.pk + 1)
    report = Report()

    report_orphans(report)

    [line] = report.lines()
    assert (line.kind, line.outcome, line.reason, line.number) == (BADGES, CANNOT, TEMPLATE_GONE, 1)
    assert line.examples == (str(lost.pk),)


def test_complete_progress_without_a_badge_is_for_somebody_to_look_at(template: Adoption) -> None:
    earn(template, "anna")
    progress = tables.BadgeProgress.objects.get()

    report = template.run()

    assert BadgeProgress.objects.get().is_complete
    assert not Badge.objects.exists()
    assert told(report, COMPLETE) == {(CANNOT, words.NEVER_AWARDED): 1}
    assert [line.examples for line in report.lines() if line.kind == COMPLETE] == [(str(progress.pk),)]


def test_complete_progress_after_a_penalty_that_hit_no_badge_is_for_somebody_to_look_at(template: Adoption) -> None:
    """There a penalty on partial progress made a revoked badge, and nothing ever awarded it after that."""
    earn(template, "anna")
    template.badge("anna", status="revoked", state="created", external_uuid=None)

    report = template.run()

    assert not Badge.objects.exists()
    assert told(report, COMPLETE) == {(CANNOT, words.NEVER_AWARDED): 1}


def test_complete_progress_with_a_badge_of_here_is_all_right(template: Adoption) -> None:
    earn(template, "anna")
    user = get_user_model().objects.get(username="anna")
    BadgeFactory(user=user, template=template.here)

    assert told(template.run(), COMPLETE) == {}


def test_a_template_without_a_provider_has_progress_and_no_badges(built_in: BuiltIn) -> None:
    UserFactory(username="anna")
    template = adoption(built_in, "openedx")
    template.requirement()
    earn(template, "anna")

    report = template.run()

    assert BadgeProgress.objects.get().is_complete
    assert told(report, COMPLETE) == {(CANNOT, words.NEVER_AWARDED): 1}


def test_badges_dated_in_the_future_are_of_now(template: Adoption) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    template.badge("anna", created=tomorrow, modified=tomorrow, status="revoked")
    earn(template, "anna")

    template.run()

    badge = Badge.objects.get()
    assert badge.revoked_at is not None
    assert badge.awarded_at <= badge.revoked_at <= timezone.now()
    assert BadgeProgress.objects.get().fulfillments.get().event_time <= timezone.now()
