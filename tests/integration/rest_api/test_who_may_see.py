"""Who may see what of badges and progress, and that nobody is told of others who should not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import resolve

from badges.models import BadgeChange
from tests.factories import (
    BadgeFactory,
    BadgeProgressFactory,
    CredlyBadgeTemplateFactory,
    FulfillmentFactory,
    RequirementFactory,
    UserFactory,
)
from tests.integration.applications.helpers import person
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
LEARNERS = ("my/badges/", "my/progress/", "templates/")
STAFFS = {"badges/": "badge", "progress/": "badgeprogress"}


@pytest.fixture
def others() -> dict[str, str]:
    """All that there is of another learner: the address of each row."""
    ben = UserFactory(
        username="ben-the-other", email="post@ben.example", full_name="Benjamin Otherman", lms_user_id=4711
    )
    requirement = RequirementFactory(
        template=CredlyBadgeTemplateFactory(), rules=[("user.pii.username", "eq", "ben-the-other")]
    )
    progress = BadgeProgressFactory(user=ben, template=requirement.template)
    FulfillmentFactory(progress=progress, requirement=requirement, evidence={"user.pii.email": "post@ben.example"})
    badge = BadgeFactory(user=ben, template=requirement.template, external_id="ext-ben", url="https://credly.test/ben")
    BadgeChange.objects.create(badge=badge, action="awarded", by=ben, reason="Benjamin Otherman did it.")
    return {
        "my/badges/": f"my/badges/{badge.uuid}/",
        "my/progress/": f"my/progress/{requirement.template.uuid}/",
        "templates/": f"templates/{requirement.template.uuid}/",
        "badges/": f"badges/{badge.uuid}/",
        "progress/": f"progress/{progress.pk}/",
    }


@pytest.mark.parametrize("path", [*LEARNERS, *STAFFS])
def test_strangers_are_turned_away(api: Callable[..., Api], others: dict[str, str], path: str) -> None:
    for address in (path, others[path], path + "00000000-0000-0000-0000-000000000000/"):
        answer = api().get(address)
        if answer.status_code != 404 or not address.startswith("progress/0"):
            assert answer.status_code in (401, 403)
            assert answer.json()["error"]["code"] == "not_authenticated"


@pytest.mark.parametrize("path", STAFFS)
@pytest.mark.parametrize("is_staff", [False, True])
def test_without_the_permission_staffs_addresses_are_refused(
    api: Callable[..., Api], others: dict[str, str], path: str, is_staff: bool
) -> None:
    # Being staff says that one may log into the admin, and nothing else.
    asking = api(UserFactory(is_staff=is_staff))

    for address in (path, others[path], f"{path}?username=ben-the-other", f"{path}?nonsense=1"):
        answer = asking._client.get(f"/badges/api/v1/{address}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied"), address


@pytest.mark.parametrize("path", STAFFS)
def test_of_what_is_not_there_nothing_is_told_without_the_permission(api: Callable[..., Api], path: str) -> None:
    key = {"badges/": "00000000-0000-0000-0000-000000000000", "progress/": "999999"}[path]

    assert api(UserFactory()).get(f"{path}{key}/").status_code == 403


@pytest.mark.parametrize("path", STAFFS)
@pytest.mark.parametrize("verb", ["view", "change"])
def test_with_the_permission_and_no_other_they_are_seen(
    api: Callable[..., Api], others: dict[str, str], path: str, verb: str
) -> None:
    allowed = api(person(f"{verb}_{STAFFS[path]}"))

    for other in STAFFS:
        for address in (other, others[other]):
            assert allowed.get(address).status_code == (200 if other == path else 403)


def test_whoever_is_deactivated_sees_nothing(api: Callable[..., Api], others: dict[str, str]) -> None:
    someone = person("view_badge")
    asking = api(someone)
    type(someone)._default_manager.filter(pk=someone.pk).update(is_active=False)

    assert asking.get("badges/").status_code in (401, 403)


@pytest.mark.parametrize("path", LEARNERS)
def test_a_learner_is_told_nothing_of_another(api: Callable[..., Api], others: dict[str, str], path: str) -> None:
    anna = UserFactory(username="anna")
    asking = api(anna)

    texts = [asking.get(address).content.decode() for address in (path, others[path])]

    for text in texts:
        for word in ("ben", "Benjamin", "post@", "4711", "ext-ben", "@"):
            assert word not in text
    if path != "templates/":
        assert asking.get(others[path]).status_code == 404
        assert asking.get(path).json()["results"] == []


def test_a_learner_who_has_the_same_badge_sees_only_what_is_their_own(
    api: Callable[..., Api], others: dict[str, str]
) -> None:
    anna = UserFactory(username="anna")
    uuid = others["my/progress/"].split("/")[2]
    template = CredlyBadgeTemplateFactory._meta.model.objects.get(uuid=uuid)
    own = BadgeFactory(user=anna, template=template)
    BadgeProgressFactory(user=anna, template=template)

    (told,) = api(anna).get("my/progress/").json()["results"]

    assert (told["ratio"], told["badge"]["uuid"]) == (0.0, str(own.uuid))
    assert [one["uuid"] for one in api(anna).get("my/badges/").json()["results"]] == [str(own.uuid)]


@pytest.mark.parametrize("path", [*LEARNERS, *STAFFS])
def test_an_email_address_is_told_to_nobody(api: Callable[..., Api], others: dict[str, str], path: str) -> None:
    allowed = api(person("view_badge", "view_badgeprogress"))

    for address in (path, others[path]):
        text = allowed.get(address).content.decode()
        assert "@" not in text
        # What staff wrote as a reason is told to staff; the profile's name is not.
        assert "Benjamin" not in text or address == others["badges/"]


@pytest.mark.parametrize("path", [*LEARNERS, "progress/"])
def test_what_is_for_reading_takes_nothing(api: Callable[..., Api], others: dict[str, str], path: str) -> None:
    allowed = api(person("view_badge", "view_badgeprogress", "change_badgeprogress"))

    for address in (path, others[path]):
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(allowed._client, method)(f"/badges/api/v1/{address}", {}, content_type="application/json")
            assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", [*LEARNERS, *STAFFS])
def test_no_view_is_one_transaction_whatever_the_project_says(others: dict[str, str], path: str) -> None:
    for address in (path, others[path]):
        view: Any = resolve(f"/badges/api/v1/{address}").func
        assert view._non_atomic_requests == {"default"}


@pytest.mark.parametrize("path", [*LEARNERS, *STAFFS])
def test_with_the_feature_off_nothing_is_there(api: Callable[..., Api], settings: Any, path: str) -> None:
    settings.BADGES_ENABLED = False

    assert api(person("view_badge", "view_badgeprogress")).get(path).status_code == 404
