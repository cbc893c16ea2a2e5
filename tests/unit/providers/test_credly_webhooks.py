"""What is read of Credly's notices, and which event is believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from badges.data import Notice, WebhookRequest
from badges.exceptions import (
    ConfigurationError,
    NoSuchEvent,
    NotShown,
    ProviderAuthError,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
    WebhookRefused,
)
from badges.providers.credly.webhooks import CredlyWebhooks
from tests import credly_events as at_credly
from tests.integration.providers.helpers import CREDLY, CREDLY_ORGANIZATION, credly

WEBHOOKS = CredlyWebhooks()
ID = "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"
NOTICE = Notice(ID, "badge.created", datetime(2014, 4, 1, 14, 41, tzinfo=UTC), CREDLY_ORGANIZATION)


def read(body: bytes) -> Notice:
    return WEBHOOKS.read(WebhookRequest(body))


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(at_credly.example("badge_created_webhook")), **values}).encode()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("badge_created_webhook", NOTICE),
        (
            "badge_state_changed_webhook",
            Notice(
                "9e2ab7e1-c690-4756-b683-ee99a8b49b6c",
                "badge.state.changed",
                datetime(2014, 4, 1, 14, 41, tzinfo=UTC),
                "1e2a5091-a445-4a46-b8ba-85906b401172",
            ),
        ),
        (
            "employment_created_webhook",
            Notice(
                "8fce56cf-f11b-460d-a523-c73984e3699e",
                "employment.created",
                datetime(2014, 4, 1, 14, 41, tzinfo=UTC),
                "12bc9b3a-0f49-4e7e-ba9e-e5ca73fa1513",
            ),
        ),
    ],
)
def test_the_notices_of_the_document_are_read(name: str, expected: Notice) -> None:
    assert read(at_credly.example(name)) == expected


def test_keys_that_are_not_documented_are_left_out() -> None:
    assert read(changed(badge={"state": "revoked"}, new_attribute=1)) == NOTICE


def test_identifiers_are_told_in_lower_case() -> None:
    assert read(changed(id=ID.upper(), organization_id=CREDLY_ORGANIZATION.upper())) == NOTICE


@pytest.mark.parametrize("time", [None, "", "yesterday", 1396363260, "0001-01-01T00:00:00+23:59", ["2014"]])
def test_a_time_that_cannot_be_read_is_none(time: Any) -> None:
    assert read(changed(occurred_at=time)).occurred_at is None


@pytest.mark.parametrize("key", ["id", "organization_id"])
@pytest.mark.parametrize(
    "value",
    [
        *(None, 7, True, "", "..", "x" * 36, [ID], {"id": ID}, f"{ID}/..", f"{ID}\n", f"{{{ID}}}", f"urn:uuid:{ID}"),
        *(ID.replace("-", ""), ID.replace("6", "\N{ARABIC-INDIC DIGIT SIX}"), f"{ID}\x00", "\ud800"),
    ],
)
def test_an_identifier_that_is_no_uuid_is_refused(key: str, value: Any) -> None:
    with pytest.raises(WebhookRefused, match=key):
        read(changed(**{key: value}))


@pytest.mark.parametrize("value", [None, 7, "", " ", "a b", "x" * 101, "badge\x00", "badge\ud800", "bädge", ["badge"]])
def test_an_event_type_that_is_no_short_word_is_refused(value: Any) -> None:
    with pytest.raises(WebhookRefused, match="event_type"):
        read(changed(event_type=value))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"1", b"NaN", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused) as refused:
        read(body)
    assert refused.value.status == 400


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        read(body)


@pytest.fixture
def mock() -> Any:
    with responses.RequestsMock() as active:
        yield active


def answer(**values: Any) -> dict[str, Any]:
    """What Credly answers about the event."""
    event = {
        "id": ID,
        "event_type": "badge.created",
        "organization_id": CREDLY_ORGANIZATION,
        "occurred_at": "2014-04-01T14:41:00.000Z",
        "badge": at_credly.badge(),
    }
    return {"data": {**event, **values}, "metadata": {}}


def ask(notice: Notice = NOTICE) -> Any:
    return WEBHOOKS.event(credly(), notice, b"")


def test_the_event_is_asked_for_by_its_identifier(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer())
    event = ask()
    assert (event.event_id, event.event_type, event.occurred_at) == (ID, "badge.created", NOTICE.occurred_at)
    assert [change.badge.badge.external_id for change in event.changes] == [at_credly.BADGE]


def test_only_the_type_and_time_that_credly_tells_are_believed(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer())
    lie = Notice(ID, "badge.deleted", datetime(2030, 1, 1, tzinfo=UTC), CREDLY_ORGANIZATION)
    event = ask(lie)
    assert (event.event_type, event.occurred_at) == ("badge.created", NOTICE.occurred_at)
    assert not event.changes[0].is_deleted


def test_an_event_that_credly_does_not_know_is_no_event(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", status=404, json={"data": {"message": "Not found"}})
    mock.get(CREDLY, json={"data": {"id": CREDLY_ORGANIZATION}})
    with pytest.raises(NoSuchEvent):
        ask()


def test_a_wrong_organization_is_no_proof_that_there_is_no_event(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", status=404, json={"data": {"message": "Not found"}})
    mock.get(CREDLY, status=404, json={"data": {"message": "Not found"}})
    with pytest.raises(ProviderRejected) as rejected:
        ask()
    assert not isinstance(rejected.value, NoSuchEvent)


@pytest.mark.parametrize(
    ("status", "error"), [(401, ProviderAuthError), (500, ProviderUnavailable), (422, ProviderRejected)]
)
def test_other_refusals_keep_their_meaning(mock: Any, status: int, error: type[Exception]) -> None:
    mock.get(f"{CREDLY}/events/{ID}", status=status, json={"data": {"message": "No"}})
    with pytest.raises(error) as raised:
        ask()
    assert not isinstance(raised.value, NoSuchEvent)


@pytest.mark.parametrize(
    "values",
    [
        {"id": at_credly.BADGE},
        {"id": None},
        {"organization_id": at_credly.OTHER},
        {"organization_id": None},
        {"event_type": None},
        {"event_type": "x" * 101},
        {"occurred_at": None},
        {"occurred_at": "soon"},
    ],
)
def test_an_answer_that_is_not_the_event_asked_for_is_not_believed(mock: Any, values: dict[str, Any]) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer(**values))
    with pytest.raises(UnexpectedAnswer):
        ask()


def test_a_badge_that_an_event_only_names_is_asked_for(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer(badge={"id": at_credly.BADGE}))
    mock.get(f"{CREDLY}/badges/{at_credly.BADGE}", json={"data": at_credly.badge(state="accepted")})
    assert ask().changes[0].badge.badge.state == "accepted"


def test_a_badge_that_credly_does_not_hold_any_more_changes_nothing(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer(badge={"id": at_credly.BADGE}))
    mock.get(f"{CREDLY}/badges/{at_credly.BADGE}", status=404, json={"data": {"message": "Not found"}})
    event = ask()
    assert event.changes == ()
    assert event.note != ""


def test_a_badge_that_cannot_be_read_yet_is_asked_for_again(mock: Any) -> None:
    just_now = datetime.now(UTC).isoformat()
    mock.get(f"{CREDLY}/events/{ID}", json=answer(badge={"id": at_credly.BADGE}, occurred_at=just_now))
    mock.get(f"{CREDLY}/badges/{at_credly.BADGE}", status=404, json={"data": {"message": "Not found"}})
    with pytest.raises(NotShown):
        ask()


def test_another_badge_than_the_one_named_is_not_believed(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer(badge={"id": at_credly.BADGE}))
    mock.get(f"{CREDLY}/badges/{at_credly.BADGE}", json={"data": at_credly.badge(id=at_credly.SECOND_BADGE)})
    with pytest.raises(UnexpectedAnswer):
        ask()


def test_an_outage_while_a_badge_is_asked_for_is_tried_again(mock: Any) -> None:
    mock.get(f"{CREDLY}/events/{ID}", json=answer(badge={"id": at_credly.BADGE}))
    mock.get(f"{CREDLY}/badges/{at_credly.BADGE}", status=503)
    with pytest.raises(ProviderUnavailable):
        ask()


def test_without_an_account_that_can_ask_nothing_is_believed() -> None:
    with pytest.raises(ConfigurationError):
        WEBHOOKS.event(None, NOTICE, b"")
