"""Processing: which events count, whose they are, and how far they bring a learner."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from opaque_keys.edx.keys import CourseKey, UsageKey
from openedx_events.learning.data import CourseData, CourseEnrollmentData, ExamAttemptData

from badges.data import Learner
from badges.exceptions import UnreadablePayload
from badges.models import Badge, BadgeProgress, DeadEvent, Fulfillment
from badges.processing import learners
from badges.processing.dead_events import incoming
from badges.processing.pipeline import process_event
from tests import factories
from tests.factories import COURSE, PASSING, BadgeTemplateFactory, RequirementFactory, UserFactory, moment
from tests.integration.processing.helpers import OTHER_COURSE, PASSED, fails, passes, send

pytestmark = pytest.mark.django_db
ENROLLED = "org.openedx.learning.course.enrollment.created.v1"
EXAM = "org.openedx.learning.exam.attempt.verified.v1"


def test_an_event_type_that_is_not_configured_takes_no_part(settings: Any) -> None:
    passes(BadgeTemplateFactory())
    settings.BADGES_CONFIG = {"events": [ENROLLED]}

    assert not send()
    assert not BadgeProgress.objects.exists()


def test_an_event_without_a_learner_is_dropped_with_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    passes(BadgeTemplateFactory())
    payload = factories.passing_status()
    object.__setattr__(payload, "user", None)

    with caplog.at_level(logging.INFO, "badges"):
        assert not send(data=payload)

    assert [getattr(record, "action", "") for record in caplog.records] == ["event_dropped"]
    assert not DeadEvent.objects.exists()


def test_the_learner_of_an_enrolment_is_who_is_enrolled_not_the_staff_who_did_it(settings: Any) -> None:
    settings.BADGES_CONFIG = {"events": [ENROLLED]}
    RequirementFactory(event_type=ENROLLED, rules=[("mode", "eq", "verified")])
    data = CourseEnrollmentData(
        user=factories.user_data("anna"),
        course=CourseData(course_key=CourseKey.from_string(COURSE)),
        mode="verified",
        is_active=True,
        creation_date=datetime(2026, 1, 1, tzinfo=UTC),
        created_by=factories.user_data("staff"),
    )

    process_event(incoming(factories.metadata(ENROLLED), {"enrollment": data}))

    assert Badge.objects.get().user.username == "anna"
    assert not get_user_model().objects.filter(username="staff").exists()


def test_the_learner_of_an_exam_attempt_is_the_student_not_who_asked_for_it(settings: Any) -> None:
    settings.BADGES_CONFIG = {"events": [EXAM]}
    RequirementFactory(event_type=EXAM, rules=[("exam_type", "eq", "timed")])
    data = ExamAttemptData(
        student_user=factories.user_data("anna"),
        course_key=CourseKey.from_string(COURSE),
        usage_key=UsageKey.from_string("block-v1:edX+DemoX+2026+type@sequential+block@exam"),
        exam_type="timed",
        requesting_user=factories.user_data("staff"),
    )

    process_event(incoming(factories.metadata(EXAM), {"exam_attempt": data}))

    assert Badge.objects.get().user.username == "anna"


def test_the_learner_of_a_registration_is_its_payload(settings: Any) -> None:
    registered = "org.openedx.learning.student.registration.completed.v1"
    settings.BADGES_CONFIG = {"events": [registered]}
    RequirementFactory(event_type=registered)

    process_event(incoming(factories.metadata(registered), {"user": factories.user_data("anna")}))

    assert Badge.objects.get().user.username == "anna"


def test_an_unknown_learner_is_created_from_the_event() -> None:
    passes(BadgeTemplateFactory())

    send("anna")

    user = get_user_model().objects.get(username="anna")
    assert (user.email, user.full_name, user.is_active, user.lms_user_id) == (
        "anna@example.com",
        "Anna Maria Lee",
        True,
        7,
    )
    assert (user.first_name, user.last_name) == ("Anna Maria", "Lee")
    assert not user.has_usable_password()


def test_an_unknown_learner_is_created_in_one_write() -> None:
    passes(BadgeTemplateFactory())

    with CaptureQueriesContext(connection) as queries:
        send("anna")

    users = [query["sql"] for query in queries if "core_user" in query["sql"] and "badging" not in query["sql"]]
    assert sum(sql.startswith("INSERT") for sql in users) == 1
    assert not any(sql.startswith("UPDATE") for sql in users)


def test_a_user_model_without_the_fields_of_the_host_gets_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners, "get_user_model", lambda: User)

    values = learners._new_user(Learner("anna", "anna@example.com", "Anna Maria Lee", lms_user_id=7))

    assert set(values) == {"email", "first_name", "last_name", "is_active", "password"}
    assert (values["first_name"], values["last_name"]) == ("Anna Maria", "Lee")


def test_an_event_that_matches_nothing_leaves_no_personal_data() -> None:
    passes(BadgeTemplateFactory(), OTHER_COURSE)

    send("anna")

    assert not get_user_model().objects.exists()


def test_a_penalty_for_an_unknown_learner_leaves_nothing() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))

    send("anna", is_passing=False)

    assert not get_user_model().objects.exists()
    assert not BadgeProgress.objects.exists()


def test_a_known_learner_is_not_rewritten() -> None:
    UserFactory(username="anna", email="old@example.com", full_name="Old")
    passes(BadgeTemplateFactory())

    send("anna", email="new@example.com", name="New Name")

    user = get_user_model().objects.get()
    assert (user.email, user.full_name) == ("old@example.com", "Old")


def test_a_fulfilment_says_which_event_it_comes_from_and_which_course() -> None:
    requirement = RequirementFactory(rules=[PASSED])
    event_id = uuid.uuid4()

    send(at=5, event_id=event_id)

    row = Fulfillment.objects.get()
    assert (row.requirement, row.is_fulfilled, row.event_type) == (requirement, True, PASSING)
    assert (row.event_id, row.event_time) == (event_id, moment(5))
    assert row.evidence == {"is_passing": True, "course.course_key": COURSE}


def test_requirements_of_inactive_templates_take_no_part() -> None:
    passes(BadgeTemplateFactory(is_active=False))

    assert not send()


def test_a_rule_that_does_not_match_leaves_no_progress() -> None:
    passes(BadgeTemplateFactory())

    assert not send(is_passing=False)
    assert not BadgeProgress.objects.exists()


def test_part_of_the_groups_is_progress_and_no_badge() -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE, "A")
    passes(template, OTHER_COURSE, "B")

    send()

    progress = BadgeProgress.objects.get()
    assert (progress.ratio, progress.is_complete) == (0.5, False)
    assert not Badge.objects.exists()


def test_requirements_without_a_group_are_all_needed() -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE)
    passes(template, OTHER_COURSE)

    send(course=COURSE)
    assert not Badge.objects.exists()

    send(course=OTHER_COURSE)
    assert Badge.objects.get().template == template


def test_one_requirement_of_each_group_suffices() -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE, "A")
    passes(template, OTHER_COURSE, "A")

    send(course=OTHER_COURSE)

    assert BadgeProgress.objects.get().is_complete
    assert Badge.objects.exists()


def test_a_badge_is_dated_by_the_event_that_fulfilled_its_last_group_whatever_came_last() -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE)
    passes(template, OTHER_COURSE)

    send(at=100, course=COURSE)
    send(at=2, course=OTHER_COURSE)

    assert Badge.objects.get().awarded_at == moment(100)


def test_a_requirement_without_rules_matches_every_event_of_its_type() -> None:
    RequirementFactory()

    send(is_passing=False)

    assert Badge.objects.exists()


def test_one_event_counts_for_several_templates() -> None:
    templates = [BadgeTemplateFactory(), BadgeTemplateFactory()]
    for template in templates:
        passes(template)

    outcome = send()

    assert len(outcome.awarded) == 2
    assert {badge.template for badge in Badge.objects.all()} == set(templates)


def test_further_alternatives_are_recorded_after_the_award() -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE, "A")
    other = passes(template, OTHER_COURSE, "A")
    send(course=COURSE)

    outcome = send(course=OTHER_COURSE)

    assert outcome.fulfilled == (other.pk,)
    assert outcome.awarded == ()


def test_a_rule_found_broken_in_the_database_is_named_and_the_others_work(caplog: pytest.LogCaptureFixture) -> None:
    broken = RequirementFactory(rules=[("course.nonsense", "eq", "x")])
    good = passes(BadgeTemplateFactory())

    outcome = send()

    assert outcome.fulfilled == (good.pk,)
    [record] = caplog.records
    assert f"Badge requirement {broken.pk} takes no part in processing" in record.getMessage()


def test_a_template_with_a_broken_requirement_is_not_awarded_for_the_others() -> None:
    template = BadgeTemplateFactory()
    RequirementFactory(template=template, rules=[("is_passing", "eq", "perhaps")])
    passes(template)

    send()

    assert not Badge.objects.exists()


def test_configuration_changes_reach_a_running_consumer() -> None:
    template = BadgeTemplateFactory(is_active=False)
    passes(template)
    assert not send()

    template.is_active = True
    template.save()

    assert send().awarded


def test_a_template_that_became_complete_by_a_changed_configuration_is_awarded_at_the_next_event() -> None:
    template = BadgeTemplateFactory()
    passes(template)
    superfluous = passes(template, OTHER_COURSE)
    send()
    superfluous.delete()

    assert send(at=1).awarded


@pytest.mark.parametrize("username", ["x" * 151, "nul\x00byte"])
def test_a_learner_that_no_user_record_can_hold_is_an_error_that_changes_nothing(username: str) -> None:
    passes(BadgeTemplateFactory())

    with pytest.raises(UnreadablePayload):
        send(username)
    assert not get_user_model().objects.exists()
