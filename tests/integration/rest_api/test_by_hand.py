"""What staff's programs award and revoke by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import resolve

from badges.issuing import by_staff
from badges.models import Badge, BadgeChange, BadgeTemplate, Delivery
from tests.factories import BadgeFactory, BadgeTemplateFactory, UserFactory
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
ALL = "badges/"
WHY = "Took part in the trial."


def allowed(*names: str) -> Any:
    """Staff with these permissions."""
    user = UserFactory(username="sara", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="badges", codename__in=names))
    return user


@pytest.fixture
def staff(api: Callable[..., Api]) -> Api:
    return api(allowed("add_badge", "change_badge"))


def test_a_badge_is_awarded_by_username(staff: Api, template: BadgeTemplate) -> None:
    learner = UserFactory(username="anna")

    answer = staff.post(ALL, {"template": str(template.uuid), "username": "anna", "reason": WHY})

    badge = Badge.objects.get()
    assert (answer.status_code, badge.user, badge.template) == (201, learner, template)
    told = answer.json()
    assert told.keys() == {"uuid", "url", "template", "status", "awarded_at", "revoked_at"}
    assert (told["uuid"], told["status"], told["revoked_at"]) == (str(badge.uuid), "awarded", None)
    assert staff.get(told["url"].partition("/api/v1/")[2]).json()["uuid"] == str(badge.uuid)
    change = BadgeChange.objects.get()
    assert (change.badge, str(change.by), change.reason) == (badge, "sara", WHY)


@pytest.mark.parametrize("username", ["jose", "JOSÉ", "josé\u0301"])
def test_a_similar_username_is_nobodys_or_somebody_elses(staff: Api, template: BadgeTemplate, username: str) -> None:
    """MySQL takes letters with accents for the same as those without."""
    UserFactory(username="josé")

    answer = staff.post(ALL, {"template": str(template.uuid), "username": username, "reason": WHY})

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["username"])
    assert not Badge.objects.exists()


def test_a_badge_is_awarded_by_the_id_that_the_lms_knows(staff: Api, template: BadgeTemplate) -> None:
    learner = UserFactory(lms_user_id=1203)

    answer = staff.post(ALL, {"template": str(template.uuid), "lms_user_id": 1203, "reason": WHY})

    assert (answer.status_code, Badge.objects.get().user) == (201, learner)


def test_whoever_asks_again_is_told_where_the_badge_is(staff: Api, template: BadgeTemplate) -> None:
    UserFactory(username="anna")
    wanted = {"template": str(template.uuid), "username": "anna", "reason": WHY}
    first = staff.post(ALL, wanted).json()

    again = staff.post(ALL, wanted)

    assert again.status_code == 409
    error = again.json()["error"]
    assert (error["code"], error["badge"]) == ("already_awarded", first["url"])
    assert resolve(error["badge"].removeprefix("http://testserver")).view_name == "badges:v1:badge-detail"
    assert Badge.objects.count() == BadgeChange.objects.count() == 1


def test_what_was_taken_away_is_not_awarded_again(staff: Api, template: BadgeTemplate) -> None:
    UserFactory(username="anna")
    wanted = {"template": str(template.uuid), "username": "anna", "reason": WHY}
    made = staff.post(ALL, wanted).json()

    revoked = staff.post(f"{ALL}{made['uuid']}/revoke/", {"reason": "Another Anna."})
    twice = staff.post(f"{ALL}{made['uuid']}/revoke/", {"reason": "Once more."})
    again = staff.post(ALL, wanted)

    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    for answer in (twice, again):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_revoked")
        assert answer.json()["error"]["badge"] == made["url"]
    assert list(BadgeChange.objects.order_by("pk").values_list("action", "reason")) == [
        ("awarded", WHY),
        ("revoked", "Another Anna."),
    ]
    assert Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_REVOKED).count() == 1


def test_of_a_template_that_is_not_active_nothing_is_awarded(staff: Api) -> None:
    UserFactory(username="anna")
    template = BadgeTemplateFactory(is_active=False)

    answer = staff.post(ALL, {"template": str(template.uuid), "username": "anna", "reason": WHY})

    assert answer.status_code == 409
    error = answer.json()["error"]
    assert (error["code"], list(error["fields"])) == ("template_not_active", ["template"])
    assert not Badge.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": " \n "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": 5}, "reason"),
        ({"username": "nobody"}, "username"),
        ({"username": "gone"}, "username"),
        ({"username": "anna\x00"}, "username"),
        ({"lms_user_id": 5}, ""),
        ({"username": None}, "username"),
        ({"template": "5"}, "template"),
        ({"template": "0e9a8a7c-6a0e-4a39-8f5e-2f6d1c7b9a42"}, "template"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    staff: Api, template: BadgeTemplate, wrong: dict[str, Any], field: str
) -> None:
    UserFactory(username="anna", lms_user_id=5)
    UserFactory(username="gone", is_active=False)

    answer = staff.post(ALL, {"template": str(template.uuid), "username": "anna", "reason": WHY, **wrong})

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not Badge.objects.exists()


def test_the_learner_must_be_named_and_must_be_one(staff: Api, template: BadgeTemplate) -> None:
    UserFactory(lms_user_id=5)
    UserFactory(lms_user_id=5)

    for named in ({}, {"lms_user_id": 5}, {"lms_user_id": 6}, {"lms_user_id": 2**31}):
        answer = staff.post(ALL, {"template": str(template.uuid), "reason": WHY, **named})
        assert answer.status_code == 400, named
    assert not Badge.objects.exists()


@pytest.mark.parametrize("names", [(), ("view_badge",), ("change_badge", "view_badge"), ("add_credlybadge",)])
def test_who_may_not_award_does_not(api: Callable[..., Api], template: BadgeTemplate, names: tuple[str, ...]) -> None:
    UserFactory(username="anna")

    answer = api(allowed(*names)).post(ALL, {"template": str(template.uuid), "username": "anna", "reason": WHY})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert not Badge.objects.exists()


@pytest.mark.parametrize("names", [(), ("view_badge",), ("add_badge", "view_badge")])
def test_who_may_not_revoke_does_not_even_learn_what_there_is(
    api: Callable[..., Api], template: BadgeTemplate, staff: Api, names: tuple[str, ...]
) -> None:
    UserFactory(username="anna")
    made = staff.post(ALL, {"template": str(template.uuid), "username": "anna", "reason": WHY}).json()
    asking = api(UserFactory())
    other = "0e9a8a7c-6a0e-4a39-8f5e-2f6d1c7b9a42"

    answers = [asking.post(f"{ALL}{uuid}/revoke/", {"reason": WHY}) for uuid in (made["uuid"], other)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == answers[1].json()
    assert Badge.objects.get().is_awarded


def test_nobody_is_nobody(api: Callable[..., Api]) -> None:
    assert api().post(ALL, {}).status_code == 403


def test_a_badge_that_is_not_there_is_not_revoked(staff: Api) -> None:
    answer = staff.post(f"{ALL}0e9a8a7c-6a0e-4a39-8f5e-2f6d1c7b9a42/revoke/", {"reason": WHY})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_badge_that_goes_at_this_moment_is_not_there_either(
    staff: Api, template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    badge = BadgeFactory(template=template)

    def late(found: Badge, **more: Any) -> Badge:
        Badge.objects.filter(pk=found.pk).delete()
        return revoke(found, **more)

    revoke = by_staff.revoke
    monkeypatch.setattr(by_staff, "revoke", late)
    answer = staff.post(f"{ALL}{badge.uuid}/revoke/", {"reason": WHY})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_staff_reads_who_did_it_and_why(api: Callable[..., Api], staff: Api, template: BadgeTemplate) -> None:
    anna = UserFactory(username="anna")
    made = staff.post(ALL, {"template": str(template.uuid), "username": "anna", "reason": WHY}).json()

    told = staff.get(f"{ALL}{made['uuid']}/").json()
    own = api(anna).get(f"my/badges/{made['uuid']}/").json()

    assert [(one["action"], one["by"], one["reason"]) for one in told["changes"]] == [("awarded", "sara", WHY)]
    assert WHY not in str(own)
    assert "sara" not in str(own)
