"""Whatever is sent as a query or as an address: it is answered, and never with an error of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from badges.rest_api.v1.deliveries import DeliveriesQuery
from badges.rest_api.v1.filters import ApplicationsQuery, BadgesQuery, MyBadgesQuery, ProgressQuery, TemplatesQuery
from tests.factories import BadgeFactory, BadgeProgressFactory, RequirementFactory
from tests.integration.applications.helpers import person
from tests.integration.rest_api.conftest import ROOT, Api

pytestmark = pytest.mark.django_db
PAGES, CURSORS = ("page", "page_size"), ("cursor", "page_size")
FILTERS = {
    "my/badges/": (*MyBadgesQuery().fields, *PAGES),
    "my/progress/": PAGES,
    "my/applications/": PAGES,
    "application-templates/": PAGES,
    "templates/": (*TemplatesQuery().fields, *PAGES),
    "badges/": (*BadgesQuery().fields, *CURSORS),
    "progress/": (*ProgressQuery().fields, *CURSORS),
    "applications/": (*ApplicationsQuery().fields, *PAGES),
    "deliveries/": (*DeliveriesQuery().fields, *CURSORS),
}
NASTY = [
    *(
        b"",
        b" ",
        b"\x00",
        b"a\x00b",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x8f\x85",
        b"'",
        b'"',
        b"\\",
        b"%",
        b"%s",
        b"{0}",
    ),
    *(b"null", b"None", b"NaN", b"inf", b"-1", b"0", b"1e999", b"9" * 18, b"9" * 19, b"9" * 400, b"9" * 5000, b"1.5"),
    *(b"true", b"false", b"[]", b"{}", b"-", b"--pk", b"-created", b"pk", b"user__password", b"?", b"id;DROP"),
    *(b"2026-02-30", b"0000-00-00", b"0001-01-01", b"9999-12-31T23:59:59-14:00", b"10000-01-01", b"2026-W01", b"24:00"),
    *(b"2026-01-01T00:00:00+99:99", b"00000000-0000-0000-0000-000000000000", b"{" + b"0" * 32 + b"}", b"urn:uuid:x"),
    *("٣".encode(), "\u202e".encode(), "A" * 300, b"a" * 4000),
]
values = st.one_of(st.sampled_from(NASTY), st.binary(max_size=30), st.text(max_size=30).map(str.encode))
every_example = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def asking(api: Callable[..., Api]) -> Api:
    """Somebody who may see everything, and has a badge and progress."""
    someone = person("view_badge", "view_badgeprogress", "view_delivery", "review_application")
    template = RequirementFactory().template
    BadgeFactory(user=someone, template=template)
    BadgeProgressFactory(user=someone, template=template)
    return api(someone)


def ask(asking: Api, address: str) -> Any:
    # Nobody is kept waiting here.
    cache.clear()
    return asking._client.get(ROOT + address)


@pytest.mark.parametrize("path", FILTERS)
@every_example
@given(data=st.data())
def test_no_query_makes_the_server_fail(asking: Api, path: str, data: Any) -> None:
    names = st.one_of(st.sampled_from(FILTERS[path]), values)
    query = data.draw(st.lists(st.tuples(names, values), max_size=3))

    answer = ask(asking, f"{path}?{urlencode(query)}")

    assert answer.status_code in (200, 400, 404), (query, answer.content)
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert error["message"]
        assert answer.status_code == 404 or all(texts[0] for texts in error["fields"].values())


@pytest.mark.parametrize("path", FILTERS)
def test_no_value_of_any_filter_makes_the_server_fail(asking: Api, path: str) -> None:
    for name in FILTERS[path]:
        for value in NASTY:
            answer = ask(asking, f"{path}?{urlencode({name: value})}")
            assert answer.status_code in (200, 400, 404), (name, value, answer.content)


@pytest.mark.parametrize("path", FILTERS)
@every_example
@given(key=values)
@example(b"0" * 18)
@example(b"00000000-0000-0000-0000-000000000000")
@example(b"..%2f..")
def test_no_address_makes_the_server_fail(asking: Api, path: str, key: bytes) -> None:
    answer = ask(asking, f"{path}{quote(key, safe='')}/")

    assert answer.status_code in (200, 301, 404), (key, answer.content)
