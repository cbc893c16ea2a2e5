"""What a learner's program sees of the learner's badges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from badges.models import Badge
from tests.factories import (
    BadgeFactory,
    BadgeTemplateFactory,
    CredlyBadgeTemplateFactory,
    UserFactory,
    moment,
)
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
MINE = "my/badges/"


@pytest.fixture
def learner() -> Any:
    return UserFactory(username="anna")


@pytest.fixture
def anna(api: Callable[..., Api], learner: Any) -> Api:
    return api(learner)


def test_a_badge_is_told_with_its_template_and_its_place_at_the_provider(anna: Api, learner: Any) -> None:
    template = CredlyBadgeTemplateFactory(name="Python", description="For those who finish.")
    badge = BadgeFactory(
        user=learner,
        template=template,
        external_id="c1",
        state="pending",
        state_at=moment(5),
        url="https://www.credly.com/go/c1",
    )

    told = anna.get(f"{MINE}{badge.uuid}/").json()

    assert told == {
        "uuid": str(badge.uuid),
        "status": "awarded",
        "awarded_at": "2026-01-01T00:00:00Z",
        "revoked_at": None,
        "state": "pending",
        "state_text": "It waits for the learner to accept it.",
        "state_at": "2026-01-01T00:00:05Z",
        "url": "https://www.credly.com/go/c1",
        "image_url": "https://images.example.com/badge.png",
        "template": {
            "uuid": str(template.uuid),
            "name": "Python",
            "description": "For those who finish.",
            "image_url": "https://images.example.com/badge.png",
            "provider": {"slug": "credly", "name": "Credly"},
        },
    }
    assert anna.get(MINE).json() == {"count": 1, "next": None, "previous": None, "results": [told]}


def test_a_badge_without_a_provider_has_no_page_and_no_state(anna: Api, learner: Any) -> None:
    BadgeFactory(user=learner, template=BadgeTemplateFactory(image_url=""))

    (told,) = anna.get(MINE).json()["results"]

    assert (told["url"], told["image_url"], told["state"], told["state_text"]) == (None, None, "", "")
    assert told["template"]["provider"] == {"slug": "openedx", "name": "Open edX"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "It is being issued."),
        ({"external_id": "c1"}, "It is issued."),
        ({"state": "accepted"}, "The learner has accepted it."),
        ({"state": "polished"}, 'The provider says: "polished".'),
        ({"status": "revoked", "revoked_at": moment(9)}, "It was never issued at the provider."),
        ({"status": "revoked", "revoked_at": moment(9), "state": "revoked"}, "It was revoked."),
    ],
)
def test_the_providers_state_is_told_in_words(anna: Api, learner: Any, values: dict[str, Any], words: str) -> None:
    BadgeFactory(user=learner, template=CredlyBadgeTemplateFactory(), **values)

    assert anna.get(MINE).json()["results"][0]["state_text"] == words


def test_an_address_that_is_none_of_the_web_is_not_passed_on(anna: Api, learner: Any) -> None:
    template = BadgeTemplateFactory(image_url="data:text/html,x")
    BadgeFactory(user=learner, template=template, url="javascript:alert(1)")

    (told,) = anna.get(MINE).json()["results"]

    assert (told["url"], told["image_url"], told["template"]["image_url"]) == (None, None, None)


def test_a_badge_of_a_provider_that_is_gone_and_of_an_inactive_template_is_still_there(anna: Api, learner: Any) -> None:
    BadgeFactory(user=learner, template=BadgeTemplateFactory(provider="gone", is_active=False))

    assert anna.get(MINE).json()["results"][0]["template"]["provider"] == {"slug": "gone", "name": "gone"}


def test_the_newest_badge_comes_first_and_the_status_is_a_filter(anna: Api, learner: Any) -> None:
    old, new = (BadgeFactory(user=learner, awarded_at=moment(seconds)) for seconds in (1, 2))
    gone = BadgeFactory(user=learner, awarded_at=moment(0), status=Badge.Status.REVOKED, revoked_at=moment(3))

    for status, found in (
        (None, [new, old, gone]),
        ("awarded", [new, old]),
        ("revoked", [gone]),
        ("revoked,awarded", [new, old, gone]),
    ):
        told = anna.get(MINE, **({"status": status} if status else {})).json()["results"]
        assert [one["uuid"] for one in told] == [str(one.uuid) for one in found], status


def test_badges_of_others_are_not_there(anna: Api) -> None:
    other = BadgeFactory()

    assert anna.get(MINE).json()["results"] == []
    answer = anna.get(f"{MINE}{other.uuid}/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "name", "text"),
    [
        ({"status": "nonsense"}, "status", 'There is no status "nonsense". Known: awarded, revoked.'),
        ({"status": "awarded,"}, "status", 'There is no status "". Known: awarded, revoked.'),
        ({"status": ""}, "status", "This field may not be blank."),
        ({"status": ["awarded", "revoked"]}, "status", "Give this only once."),
        ({"cursor": "x"}, "cursor", "There is no such filter. Known: status, page, page_size."),
        ({"username": "ben"}, "username", "There is no such filter. Known: status, page, page_size."),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(anna: Api, query: dict[str, Any], name: str, text: str) -> None:
    answer = anna.get(MINE, **query)

    assert (answer.status_code, answer.json()["error"]["fields"]) == (400, {name: [text]})


def test_a_list_costs_the_same_whatever_its_length(anna: Api, learner: Any, django_assert_num_queries: Any) -> None:
    for _ in range(5):
        BadgeFactory(user=learner, template=CredlyBadgeTemplateFactory())

    # The session, the user, the number of badges, the badges.
    with django_assert_num_queries(4):
        assert anna.get(MINE).json()["count"] == 5
