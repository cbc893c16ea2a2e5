"""Every call is told to who watches, whatever comes of it, and nothing in what is told gives anybody away."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
import responses
from attrs import asdict, define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from badges.data import Award, Exchange
from badges.exceptions import CeilingReached, ProviderError, ProviderRejected
from badges.providers import traffic
from badges.providers.redaction import REMOVED, spellings
from tests.integration.providers.helpers import (
    ACCREDIBLE,
    ACCREDIBLE_2,
    ACCREDIBLE_AWARD,
    AWARD,
    CREDLY,
    CREDLY_ORGANIZATION,
    KEY,
    accredible,
    credly,
)

EVERYTHING = re.compile(r"https://api\.(credly|accredible)\.com/.*")
# Begins so that none is a word of ours.
NAMES = st.text(st.characters(categories=["L"]), min_size=1, max_size=12).map("Qz".__add__)


@define
class Notes:
    """Who watches, and writes down."""

    exchanges: list[Exchange] = field(factory=list)
    begun: int = 0
    ceiling: int = 100

    def before(self) -> None:
        if self.begun >= self.ceiling:
            raise CeilingReached("Not now.", retry_after=3)
        self.begun += 1

    def after(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


@pytest.fixture
def notes() -> Iterator[Notes]:
    watching = Notes()
    with traffic.watched_by(watching):
        yield watching


def only(notes: Notes) -> Exchange:
    [exchange] = notes.exchanges
    assert notes.begun == 1
    return exchange


@responses.activate
def test_an_answer_is_told_with_what_was_asked(notes: Notes) -> None:
    responses.post(f"{CREDLY}/badges", status=201, json={"data": {"id": "b1", "state": "pending"}})
    credly().issue(AWARD)
    told = only(notes)
    assert (told.doing, told.method, told.status, told.changes) == ("issuing a badge", "POST", 201, True)
    assert told.path == f"organizations/{CREDLY_ORGANIZATION}/badges"
    assert f'"badge_template_id": "{AWARD.template_external_id}"' in told.asked
    assert f'"issuer_earner_id": "{AWARD.uuid}"' in told.asked
    assert told.answered == '{"data": {"id": "b1", "state": "pending"}}'
    assert told.duration_ms >= 0


@responses.activate
def test_of_a_search_the_conditions_are_told_and_not_the_address(notes: Notes) -> None:
    responses.get(f"{CREDLY}/badges", json={"data": [], "metadata": {"total_pages": 1}})
    credly().find_issued(AWARD)
    first, second = notes.exchanges
    assert str(AWARD.uuid) in first.asked
    assert AWARD.template_external_id in second.asked
    assert "recipient_email::[removed]" in second.asked
    assert (first.path, first.changes) == (f"organizations/{CREDLY_ORGANIZATION}/badges", False)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"status": 422, "json": {"data": {"message": "Invalid template"}}}, 422, "Invalid template"),
        ({"status": 502, "body": "<h1>Bad gateway</h1>"}, 502, "Bad gateway"),
        ({"status": 429, "body": ""}, 429, ""),
        ({"status": 302, "headers": {"Location": "https://x.example/"}}, 302, ""),
        ({"status": 201, "body": '{"data": {"id": "12'}, 201, '{"data": {"id": "12'),
        ({"body": requests.ReadTimeout()}, None, "did not answer within 20 seconds"),
        ({"body": requests.ConnectionError("reset")}, None, "broke the connection off"),
        ({"body": requests.ConnectTimeout()}, None, "could not be reached"),
    ],
)
@responses.activate
def test_a_failure_is_told_as_well(notes: Notes, answer: dict[str, Any], status: int | None, words: str) -> None:
    responses.post(f"{CREDLY}/badges", **answer)
    with pytest.raises(ProviderError):
        credly().issue(AWARD)
    told = only(notes)
    assert told.status == status
    assert words in told.answered


@responses.activate
def test_even_a_defect_is_told(notes: Notes) -> None:
    responses.post(f"{CREDLY}/badges", body=ZeroDivisionError(f"of {AWARD.email}"))
    with pytest.raises(ZeroDivisionError):
        credly().issue(AWARD)
    assert "ZeroDivisionError" in only(notes).answered


@responses.activate
def test_at_the_ceiling_nothing_is_sent_and_nothing_is_told() -> None:
    notes = Notes(ceiling=0)
    with traffic.watched_by(notes), pytest.raises(CeilingReached) as caught:
        credly().issue(AWARD)
    assert caught.value.retry_after == 3
    assert (notes.exchanges, len(responses.calls)) == ([], 0)


def test_what_cannot_even_be_asked_is_no_call(notes: Notes) -> None:
    with pytest.raises(ProviderRejected):
        credly().revoke("..", award=AWARD, reason="x")
    assert (notes.begun, notes.exchanges) == (0, [])


@responses.activate
def test_only_the_beginning_is_told(notes: Notes) -> None:
    responses.put(re.compile(f"{CREDLY}/.*"), status=500, json={"data": {"message": "y " * 5000}})
    with pytest.raises(ProviderError):
        credly().revoke("b1", award=AWARD, reason="x " * 5000)
    told = only(notes)
    assert (len(told.asked), len(told.answered)) == (500, 300)


@responses.activate
def test_a_name_of_one_letter_is_not_told_either(notes: Notes) -> None:
    responses.post(f"{CREDLY}/badges", status=201, json={"data": {"id": "b1", "issued_to": "X", "state": "pending"}})
    credly().issue(evolve(AWARD, name="X"))
    told = only(notes)
    assert f'"issued_to_last_name": "{REMOVED}"' in told.asked
    assert f'"issued_to": "{REMOVED}"' in told.answered


def given_away(exchange: Exchange, award: Award) -> list[str]:
    """What of the key and the learner can be read in what is told."""
    shown = json.dumps(asdict(exchange), ensure_ascii=False).replace(REMOVED, "").casefold()
    secret = [KEY, award.email, award.name, award.first_name, award.last_name]
    forms = set().union(*(spellings(one) for one in secret))
    return sorted(form for form in forms if form.casefold() in shown)


def repeating(award: Award) -> list[str]:
    """Answers that repeat the key and the learner in all the ways that one could think of."""
    words = sorted(set().union(*(spellings(one) for one in (KEY, award.email, award.name, award.last_name))))
    composed = [unicodedata.normalize(form, award.name) for form in ("NFC", "NFD")]
    found: dict[str, Any] = {"data": {"id": "b1", "state": "pending", "errors": [*words, *composed]}}
    return [
        json.dumps(found),
        json.dumps(found, ensure_ascii=False),
        json.dumps({"errors": {award.email: [KEY], "name": award.name}}),
        f"<p>{' '.join(words)}",
        f'{{"data": "{award.name} <{award.email}>',
    ]


@settings(max_examples=40)
@given(
    first=NAMES,
    last=NAMES,
    local=st.from_regex(r"\Aqz[a-z0-9.+_-]{3,20}\Z"),
    status=st.sampled_from([200, 302, 401, 422, 429, 500]),
    way=st.integers(0, 4),
)
def test_no_exchange_gives_the_key_or_the_learner_away(
    first: str, last: str, local: str, status: int, way: int
) -> None:
    learner = evolve(AWARD, name=f"{first} {last}", email=f"{local}@example.com")
    group = evolve(learner, template_external_id=ACCREDIBLE_AWARD.template_external_id)
    notes = Notes()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock, traffic.watched_by(notes):
        for method in ("GET", "POST", "PUT"):
            mock.add(method, EVERYTHING, status=status, body=repeating(learner)[way])
        errors = [*everything_asked(credly(), learner), *everything_asked(accredible(), group)]
    assert len(notes.exchanges) == notes.begun >= 6
    assert [word for told in notes.exchanges for word in given_away(told, learner)] == []
    assert [error for error in errors if KEY in error or learner.email in error] == []


def everything_asked(provider: Any, award: Award) -> Iterator[str]:
    """All calls about an award, one after the other; gives the texts of the errors."""
    calls = (
        partial(provider.issue, award),
        partial(provider.revoke, "b1", award=award, reason="A grade was corrected."),
        partial(provider.find_issued, award),
    )
    for call in calls:
        try:
            call()
        except ProviderError as error:
            yield f"{error} {error!r}"


@responses.activate
def test_accredibles_calls_are_told_below_their_own_version(notes: Notes) -> None:
    responses.post(f"{ACCREDIBLE_2}/credentials/search", json={"credentials": [], "meta": {}})
    responses.get(f"{ACCREDIBLE}/issuer/details", json={"issuer": {"id": 1, "name": "A"}})
    accredible().find_issued(ACCREDIBLE_AWARD)
    accredible().check_account()
    assert [told.path for told in notes.exchanges] == ["credentials/search"] * 2 + ["issuer/details"]
    assert notes.exchanges[-1].asked == ""
