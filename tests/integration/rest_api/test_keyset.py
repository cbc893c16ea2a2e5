"""Walking through lists that are too long to count."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badges.models import Badge, BadgeTemplate
from tests.factories import BadgeFactory, BadgeTemplateFactory, UserFactory, in_bulk, moment
from tests.integration.applications.helpers import person
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
ALL = "badges/"
ORDERS = ("created", "-created", "awarded_at", "-awarded_at", "modified", "-modified")


@pytest.fixture
def staff(api: Callable[..., Api]) -> Api:
    return api(person("view_badge"))


def badges(*times: int) -> list[Badge]:
    """A badge for each time of award, in this order."""
    user = UserFactory()
    made: list[Any] = []
    for time in times:
        made.append(BadgeFactory(user=user, template=BadgeTemplateFactory(), awarded_at=moment(time)))
        Badge.objects.filter(pk=made[-1].pk).update(modified=moment(time))
    return made


def walk(staff: Api, link: str | None, back: str = "next") -> list[list[str]]:
    """The pages from an address on, in one direction."""
    pages = []
    while link is not None:
        answer = staff._client.get(link)
        assert answer.status_code == 200, answer.content
        pages.append([one["uuid"] for one in answer.json()["results"]])
        link = answer.json()[back]
        assert len(pages) < 50
    return pages


def start(**query: Any) -> str:
    return f"/badges/api/v1/{ALL}?" + "&".join(f"{name}={value}" for name, value in query.items())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_following_next_shows_each_row_once_and_previous_leads_back(staff: Api, order: str, size: int) -> None:
    made = badges(3, 1, 1, 1, 2, 3, 1)
    column = {"created": "pk"}.get(order.lstrip("-"), order.lstrip("-"))
    wanted = sorted(made, key=lambda one: (one.pk if column == "pk" else one.awarded_at, one.pk))
    if order.startswith("-"):
        wanted.reverse()
    pages = walk(staff, start(ordering=order, page_size=size))

    assert [one for page in pages for one in page] == [str(one.uuid) for one in wanted]
    assert {len(page) for page in pages[:-1]} <= {size}

    first = staff._client.get(start(ordering=order, page_size=size)).json()
    assert first["previous"] is None
    last, link = first, None
    while last["next"] is not None:
        link = last["next"]
        last = staff._client.get(link).json()
    if link is not None:
        assert walk(staff, link, "previous") == pages[::-1]


def test_what_comes_and_goes_meanwhile_moves_no_other_row(staff: Api) -> None:
    made = badges(1, 2, 3, 4, 5)
    first = staff._client.get(start(page_size=2)).json()
    badges(6, 7)
    made[3].delete()
    made[0].delete()

    (rest,) = walk(staff, first["next"])

    assert rest == [str(made[2].uuid), str(made[1].uuid)]


def test_filters_stay_on_the_way(staff: Api) -> None:
    made = badges(*range(6))
    Badge.objects.filter(pk__in=[one.pk for one in made[::2]]).update(status="revoked", revoked_at=moment(9))

    pages = walk(staff, start(status="revoked", page_size=2, awarded_before="2026-02-01"))

    assert [len(page) for page in pages] == [2, 1]


def test_pages_have_a_size_that_can_be_borne(staff: Api) -> None:
    user = UserFactory()
    templates = in_bulk(BadgeTemplate(name=str(n)) for n in range(103))
    Badge.objects.bulk_create(Badge(user=user, template=one, awarded_at=moment(0)) for one in templates)

    for size, found in ((None, 50), ("7", 7), ("1000000", 100), ("9" * 99, 100)):
        query = {"page_size": size} if size else {}
        assert len(staff.get(ALL, **query).json()["results"]) == found
    for size in ("-1", "x", "0", ""):
        answer = staff.get(ALL, page_size=size)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["page_size"])


def test_the_end_of_a_list_that_became_empty_has_no_more_links(staff: Api) -> None:
    (badge, *_) = badges(1, 2)
    link = staff._client.get(start(page_size=1)).json()["next"]
    badge.delete()

    answer = staff._client.get(link).json()

    assert answer == {"next": None, "previous": None, "results": []}


def token(*told: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


HOSTILE = [
    *("", "x", "=", "\x00", "\udc00", "AAAA", "é", "W10", "bnVsbA", "a" * 5000, "%"),
    base64.urlsafe_b64encode(b"[" * 3000).decode(),
    base64.urlsafe_b64encode(b'[["-pk"],[' + b"9" * 5000 + b"],false]").decode(),
    token(["-pk"], [2**63], False),
    token(["-pk"], [-1], False),
    token(["-pk"], [True], False),
    token(["-pk"], [1.5], False),
    token(["-pk"], ["1"], False),
    token(["-pk"], [[1]], False),
    token(["-pk"], [None], False),
    token(["-pk"], [1], "no"),
    token(["-pk"], [1, 2], False),
    token(["pk"], [1], False),
    token(["-user__password"], [1], False),
    token(["-awarded_at", "-pk"], ["2026-01-01T00:00:00+00:00", 1], False),
    token({"a": 1}, {"b": 2}, False),
    token("-pk", "1", False),
    token(["-pk"], [1], False, 1),
]
HOSTILE_TIMES = [
    token(["awarded_at", "pk"], [time, 1], False)
    for time in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "x", 5, None, "\x00")
]


@pytest.mark.parametrize("cursor", HOSTILE)
def test_a_cursor_of_nowhere_is_refused(staff: Api, cursor: str) -> None:
    badges(1, 2)

    answer = staff.get(ALL, cursor=cursor.encode("utf-8", "surrogatepass"))

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["cursor"])


@pytest.mark.parametrize("cursor", HOSTILE_TIMES)
def test_a_cursor_with_a_time_of_nowhere_is_refused(staff: Api, cursor: str) -> None:
    answer = staff.get(ALL, cursor=cursor, ordering="awarded_at")

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["cursor"])


@pytest.mark.parametrize("offset", ["+23:59", "-23:59:59", "+00:00:00.000001"])
def test_a_cursor_with_an_offset_that_not_every_database_knows_leads_to_rows(staff: Api, offset: str) -> None:
    (made,) = badges(1)
    cursor = token(["awarded_at", "pk"], [f"1999-12-31T00:00:00{offset}", 1], False)

    answer = staff.get(ALL, cursor=cursor, ordering="awarded_at")

    assert [one["uuid"] for one in answer.json()["results"]] == [str(made.uuid)]


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.datetimes().map(str)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=2)),
    max_leaves=6,
)
fixture_is_kept = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@fixture_is_kept
@given(st.one_of(st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()), values.map(token)))
def test_no_cursor_makes_the_server_fail(staff: Api, cursor: str) -> None:
    for order in ("-created", "awarded_at"):
        assert staff.get(ALL, cursor=cursor, ordering=order).status_code in (200, 400, 429)
