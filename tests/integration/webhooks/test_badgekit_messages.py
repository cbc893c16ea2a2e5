"""BadgeKit's messages: those of its document, those that its code sends, and what is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses

from badges.changes import BadgeChange, ReviewChange, ReviewItemData, TemplateChange
from badges.data import IssuedBadge, Notice, ProviderTemplate, WebhookRequest
from badges.exceptions import ProviderError, ProviderRejected, UnexpectedAnswer, WebhookRefused
from badges.providers.badgekit.webhooks import BadgeKitWebhooks
from tests.integration.webhooks.sending import encoded

DOCUMENT = Path(__file__).parents[2] / "data" / "badgekit_webhooks"
JUNK = "[email\xa0protected]"
"""Where the document had an address; its blank is one that does not break."""
RECEIVED = datetime(2026, 5, 1, tzinfo=UTC)
API = "https://badgekit.example.com"
AWARD: dict[str, Any] = {
    "action": "award",
    "uid": "abcdefghijkl1234567890",
    "badge": {"id": 11, "slug": "badge-slug"},
    "email": "anna@example.com",
    "assertionUrl": f"{API}/public/assertions/abcdefghijkl1234567890",
    "issuedOn": 1400094712,
    "comment": None,
}
REVIEW: dict[str, Any] = {
    "action": "review",
    "application": {"id": 123, "slug": "application-slug", "learner": "anna@example.com", "badge": {"slug": "b"}},
    "review": {"id": 456, "slug": "review-slug", "author": "ben@example.com", "reviewItems": []},
    "approved": True,
}


def documented(name: str) -> str:
    """An example of the document, byte for byte."""
    return (DOCUMENT / f"{name}.txt").read_text(encoding="utf-8")


def completed(name: str) -> bytes:
    """The same with an address where the document lost it, and without the marks of what it leaves out."""
    lines = (line for line in documented(name).splitlines() if line.strip() != "...")
    text = "\n".join(lines).replace('"slug": "badge-slug",', '"slug": "badge-slug"')
    # Where the list of review items went on.
    text = text.replace("},\n        ]", "}\n        ]").replace(JUNK, "anna@example.com")
    return text.encode()


def read(message: Any) -> Notice:
    body = message if isinstance(message, bytes) else encoded(message)
    return BadgeKitWebhooks().read(WebhookRequest(body=body))


def change(message: Any) -> Any:
    """What a message changes, received at a fixed time if it has none of its own."""
    body = message if isinstance(message, bytes) else encoded(message)
    found = read(body)
    said = json.loads(body).get("issuedOn")
    at = found.occurred_at if said else RECEIVED
    event = BadgeKitWebhooks().event(None, Notice(found.event_id, found.event_type, at), body)
    assert event.event_id == found.event_id
    [only] = event.changes
    return only


# The document.
@pytest.mark.parametrize("name", ["award", "revoke", "review"])
def test_an_example_of_the_document_is_no_json_as_it_stands(name: str) -> None:
    with pytest.raises(WebhookRefused, match="one JSON object") as caught:
        read(documented(name).encode())
    assert caught.value.status == 400


@pytest.mark.parametrize(("name", "key"), [("award", "email"), ("revoke", "email"), ("review", "author")])
def test_the_address_that_the_document_lost_is_refused_clearly(name: str, key: str) -> None:
    body = completed(name).replace(b"anna@example.com", JUNK.encode())
    with pytest.raises(WebhookRefused, match=f'"{key}" must be an e-mail address') as caught:
        read(body)
    assert caught.value.status == 400
    assert JUNK not in str(caught.value)


def test_the_documents_award_is_read_field_by_field() -> None:
    found = change(completed("award"))
    assert isinstance(found, BadgeChange)
    issued_on = datetime(2014, 5, 14, 19, 11, 52, tzinfo=UTC)
    since = issued_on - timedelta(minutes=5)
    page = "http://issuersite.com/public/assertions/abcdefghijkl1234567890"
    assert found.badge.badge == IssuedBadge("abcdefghijkl1234567890", "awarded", page, state_at=since)
    assert (found.badge.email, found.badge.template_external_id) == ("anna@example.com", "badge-slug")
    assert (found.badge.issued_at, found.at, found.badge.own_id) == (issued_on, since, "")


def test_the_documents_revocation_is_read_field_by_field() -> None:
    found = change(completed("revoke"))
    assert isinstance(found, BadgeChange)
    assert found.badge.badge == IssuedBadge(
        "abcdefghijkl1234567890", "revoked", is_valid=False, is_revoked=True, state_at=RECEIVED
    )
    assert (found.badge.email, found.badge.template_external_id) == ("anna@example.com", "badge-slug")
    assert found.at == RECEIVED


def test_the_documents_review_is_read_field_by_field() -> None:
    assert change(completed("review")) == ReviewChange(
        application_slug="abcdefg1234567",
        application_id=123,
        learner_email="anna@example.com",
        template_external_id="badge-slug",
        applied_at=datetime(2014, 5, 12, 15, 13, 7, tzinfo=UTC),
        review_slug="1234567abcdefg",
        review_id=456,
        author_email="anna@example.com",
        comment="Comment from reviewer to earner.",
        items=(ReviewItemData(criterion_id=221, is_satisfied=True, comment="Exactly right."),),
        is_approved=True,
        at=RECEIVED,
    )


# What its senders leave out, and how they write.
@pytest.mark.parametrize("missing", [("badge",), ("comment",), ("issuedOn",), ("badge", "comment", "issuedOn")])
def test_an_award_may_leave_out_badge_comment_and_time(missing: tuple[str, ...]) -> None:
    message = {key: value for key, value in AWARD.items() if key not in missing}
    found = change(message)
    assert found.badge.badge.external_id == AWARD["uid"]
    assert found.badge.template_external_id == ("" if "badge" in missing else "badge-slug")


def test_what_has_no_time_happened_when_it_came() -> None:
    before = datetime.now(UTC)
    times = [read(message).occurred_at for message in ({**AWARD, "issuedOn": None}, REVIEW)]
    assert all(time is not None and before <= time <= datetime.now(UTC) for time in times)


def test_an_award_that_is_dated_into_the_future_happened_when_it_came() -> None:
    notice = read({**AWARD, "issuedOn": 2**33 - 1})
    assert notice.occurred_at is not None
    assert notice.occurred_at <= datetime.now(UTC)


@pytest.mark.parametrize("written", [1400094712, "1400094712", 1400094712.0])
def test_seconds_may_be_written_as_text(written: Any) -> None:
    assert read({**AWARD, "issuedOn": written}).occurred_at == datetime(2014, 5, 14, 19, 11, 52, tzinfo=UTC)


@pytest.mark.parametrize("written", [1400094712000, -1, True, "soon", "2014-05-14T19:11:52Z", 1e300, [], 10**30])
def test_what_is_no_time_in_seconds_is_refused(written: Any) -> None:
    with pytest.raises(WebhookRefused, match="issuedOn"):
        read({**AWARD, "issuedOn": written})


@pytest.mark.parametrize(
    "address",
    [
        *(JUNK, "[email protected]", "", " ", None, 7, "anna", "anna@", "anna maria@example.com", "anna@[127.0.0.1]"),
        *('"anna lee"@example.com', "anna@example.com\nBcc: x@example.com", "<anna@example.com>", "a\x00@example.com"),
        *("a" * 250 + "@example.com", "anna\xa0lee@example.com", "\ud800@example.com"),
    ],
)
def test_what_is_no_address_is_refused(address: Any) -> None:
    with pytest.raises(WebhookRefused, match="email"):
        read({**AWARD, "email": address})


@pytest.mark.parametrize("uid", [None, "", " ", 5, "x" * 256, "a\x00b", "a\ud800", ["x"], "a\nb"])
def test_what_is_no_identifier_is_refused(uid: Any) -> None:
    with pytest.raises(WebhookRefused, match="uid"):
        read({**AWARD, "uid": uid})


@pytest.mark.parametrize(
    "address", [None, "", "javascript:alert(1)", "/public/assertions/x", "https://x/" + "y" * 1000, 1]
)
def test_what_is_no_page_is_refused(address: Any) -> None:
    with pytest.raises(WebhookRefused, match="assertionUrl"):
        read({**AWARD, "assertionUrl": address})


def test_no_refusal_quotes_the_message() -> None:
    for key in ("email", "uid", "assertionUrl", "issuedOn", "action"):
        with pytest.raises(WebhookRefused) as caught:
            read({**AWARD, key: "strictly private \x00"})
        assert "private" not in str(caught.value)


@pytest.mark.parametrize(("written", "read_as"), [(1, True), ("1", True), (True, True), (0, False), ("0", False)])
def test_a_criterion_is_satisfied_in_several_ways(written: Any, read_as: bool) -> None:
    items = [{"criterionId": "7", "satisfied": written, "comment": None}]
    message = {**REVIEW, "review": {**REVIEW["review"], "reviewItems": items}}
    assert change(message).items == (ReviewItemData(7, read_as),)


@pytest.mark.parametrize(("written", "read_as"), [(None, False), ("false", False), (1, True), ([], False)])
def test_only_a_plain_yes_approves(written: Any, read_as: bool) -> None:
    assert change({**REVIEW, "approved": written}).is_approved is read_as


def test_numbers_that_no_database_has_given_are_left_out() -> None:
    message = {**REVIEW, "review": {**REVIEW["review"], "id": 2**63}}
    assert change(message).review_id is None


def test_evidence_comes_with_its_type_and_reflection() -> None:
    evidence = [
        {"url": "https://example.com/essay", "mediaType": "link", "reflection": "My essay."},
        {"url": "javascript:alert(1)", "mediaType": "link"},
    ]
    message = {**REVIEW, "application": {**REVIEW["application"], "evidence": evidence}}
    assert change(message).evidence == (("https://example.com/essay", "link", "My essay."),)


@pytest.mark.parametrize("part", ["application", "review"])
@pytest.mark.parametrize("value", [None, [], "x", {}])
def test_a_review_needs_its_application_and_itself(part: str, value: Any) -> None:
    with pytest.raises(WebhookRefused):
        read({**REVIEW, part: value})


def test_an_action_that_is_not_documented_is_taken_and_ignored() -> None:
    body = encoded({"action": "celebrate", "email": JUNK})
    notice = read(body)
    event = BadgeKitWebhooks().event(None, notice, body)
    assert (notice.event_type, event.changes, event.note != "") == ("celebrate", (), True)


@pytest.mark.parametrize("action", [None, "", 1, [], "x" * 101, "a\x00"])
def test_what_names_no_action_is_refused(action: Any) -> None:
    with pytest.raises(WebhookRefused, match="action"):
        read({"action": action})


def test_a_badge_that_the_message_describes_is_told_before_the_award() -> None:
    badge = {"slug": "badge-slug", "name": "Explorer", "consumerDescription": "Saw it all.", "archived": False}
    for message in (AWARD, REVIEW):
        part = {"badge": badge} if message is AWARD else {"application": {**REVIEW["application"], "badge": badge}}
        body = encoded({**message, **part})
        first, second = BadgeKitWebhooks().event(None, read(body), body).changes
        assert isinstance(first, TemplateChange)
        assert first.template == ProviderTemplate("badge-slug", "Explorer", "Saw it all.")
        assert isinstance(second, BadgeChange | ReviewChange)


# What is one event.
def test_the_same_message_is_the_same_event_and_another_one_is_not() -> None:
    revoke = {"action": "revoke", "uid": AWARD["uid"], "email": "anna@example.com"}
    update = {**REVIEW, "approved": False}
    other = {**AWARD, "uid": AWARD["uid"].upper()}
    messages = (AWARD, revoke, REVIEW, update, other)
    ids = [read(message).event_id for message in messages]
    assert ids == [read(message).event_id for message in messages]
    # Also where a database does not tell capitals from small letters.
    assert len({event_id.lower() for event_id in ids}) == len(messages)
    assert all(len(event_id) <= 255 for event_id in ids)


# Which badge it is.
def assertion(badge: Any) -> dict[str, Any]:
    return {"uid": AWARD["uid"], "badge": badge, "verify": {"type": "hosted"}}


@pytest.fixture
def api(settings: Any) -> Any:
    settings.BADGES_CONFIG = {"badgekit": {"BADGEKIT_API_BASE_URL": API}}
    with responses.RequestsMock() as mock:
        yield mock


def milestone(**values: Any) -> dict[str, Any]:
    """As BadgeKit sends it for a milestone: the badge that completed it, and no comment."""
    return {**{key: value for key, value in AWARD.items() if key != "comment"}, **values}


def test_with_a_comment_the_message_is_believed_and_nobody_is_asked(api: Any) -> None:
    assert change(AWARD).badge.template_external_id == "badge-slug"


@pytest.mark.parametrize(
    "badge",
    [f"{API}/public/systems/city/badges/real", {"id": f"{API}/public/systems/c/issuers/i/programs/p/badges/real"}],
)
@pytest.mark.parametrize("named", [{}, {"badge": None}])
def test_without_a_comment_the_assertion_says_which_badge_it_is(api: Any, badge: Any, named: Any) -> None:
    api.get(AWARD["assertionUrl"], json=assertion(badge))
    assert change(milestone(**named)).badge.template_external_id == "real"
    assert "Authorization" not in api.calls[0].request.headers


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example.com/public/assertions/x",
        "http://badgekit.example.com/public/assertions/x",
        "https://badgekit.example.com:8443/public/assertions/x",
        "https://badgekit.example.com@elsewhere.example.com/x",
        "https://user:password@badgekit.example.com/x",
    ],
)
def test_no_other_address_is_ever_asked(api: Any, elsewhere: str) -> None:
    assert change(milestone(assertionUrl=elsewhere)).badge.template_external_id == "badge-slug"


def test_an_assertion_that_is_gone_leaves_the_badge_unknown(api: Any) -> None:
    api.get(AWARD["assertionUrl"], status=404, json={"code": "ResourceNotFound"})
    assert change(milestone()).badge.template_external_id == ""


@pytest.mark.parametrize("badge", [None, "", f"{API}/public", 7, "http://[", {"id": None}])
def test_an_assertion_that_names_no_badge_leaves_it_unknown(api: Any, badge: Any) -> None:
    api.get(AWARD["assertionUrl"], json=assertion(badge))
    assert change(milestone()).badge.template_external_id == ""


def test_a_badgekit_that_is_away_is_asked_again_later(api: Any) -> None:
    api.get(AWARD["assertionUrl"], status=503)
    with pytest.raises(ProviderError) as caught:
        change(milestone())
    assert caught.value.retryable


def test_an_assertion_that_is_not_public_does_not_count_as_a_refused_key(api: Any) -> None:
    api.get(AWARD["assertionUrl"], status=403)
    with pytest.raises(UnexpectedAnswer, match="should be public"):
        change(milestone())


def test_a_redirect_is_not_followed(api: Any) -> None:
    api.get(AWARD["assertionUrl"], status=302, headers={"Location": "http://169.254.169.254/"})
    with pytest.raises(ProviderError, match="redirect"):
        change(milestone())


def test_a_stored_body_that_cannot_be_read_is_given_up() -> None:
    with pytest.raises(ProviderRejected, match="cannot be read"):
        BadgeKitWebhooks().event(None, Notice("award:x", "award"), b"{}")
