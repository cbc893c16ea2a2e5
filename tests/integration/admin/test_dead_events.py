"""Dead events are seen without personal data, replayed, discarded with a reason, and put back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import resolve

from badges import models
from badges.exceptions import UnreadableMessage
from badges.models import DeadEvent
from badges.processing.dead_events import park_message
from tests import factories
from tests.factories import DeadEventFactory, moment
from tests.integration.admin.pages import Staff, act, messages, url
from tests.integration.bus_messages import fields, origin

pytestmark = pytest.mark.django_db
Kind, Status = DeadEvent.Kind, DeadEvent.Status
REASON = "A test of ours."


def text_of(page: Any) -> str:
    assert page.status_code == 200
    return str(page.content.decode())


def listed(response: Any) -> list[Any]:
    return list(response.context["cl"].result_list)


def payload(username: str = "anna") -> dict[str, Any]:
    """The payload of a passing-status event, as it is kept."""
    return {
        "course_passing_status": {
            "is_passing": True,
            "user": {
                "id": 7,
                "is_active": True,
                "pii": {"username": username, "email": f"{username}@example.com", "name": "Anna"},
            },
            "course": {"course_key": factories.COURSE},
        }
    }


def confirm(client: Client, page: Any, **entered: Any) -> Any:
    """Send the form of the page that asks."""
    return client.post(
        page.context["action_address"], {"ids": page.context["form"]["ids"].value(), **entered}, follow=True
    )


def history() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


class TestTheList:
    def test_tells_kind_type_error_status_attempts_and_times(self, admin_client: Client) -> None:
        DeadEventFactory(error="It broke.", attempts=5, event_time=moment(0))
        page = text_of(admin_client.get(url("deadevent")))
        for text in ("processing failed", factories.PASSING, "It broke.", "waiting", ">5<", "Jan. 1, 2026"):
            assert text in page

    def test_names_what_has_no_type_by_its_place(self, admin_client: Client) -> None:
        park_message({}, origin(8), UnreadableMessage("No header."))
        assert f"{origin(8).topic} {origin(8).message_id}" in text_of(admin_client.get(url("deadevent")))

    def test_is_searched_by_ids_type_and_words_of_the_error(self, admin_client: Client) -> None:
        sent = uuid.uuid4()
        event = DeadEventFactory(error="It broke.", event_type="org.a.v1")
        message = park_message(fields(event_id=sent, event_data=b"?"), origin(8), UnreadableMessage("No Avro."))
        for term, expected in (
            (str(event.event_id), event),
            ("org.a", event),
            ("broke", event),
            (str(sent), message),
            (origin(8).message_id, message),
            ("no avro", message),
        ):
            assert listed(admin_client.get(url("deadevent"), {"q": term})) == [expected], term
        assert listed(admin_client.get(url("deadevent"), {"q": str(uuid.uuid4())})) == []
        assert event in listed(admin_client.get(url("deadevent"), {"q": str(event.pk)}))

    @pytest.mark.parametrize(
        "query",
        [{"status__exact": "discarded"}, {"kind__exact": "lost"}, {"event_type": "a"}, {"event_time__year": "2025"}],
    )
    def test_is_filtered(self, admin_client: Client, query: dict[str, str]) -> None:
        found = DeadEventFactory(status=Status.DISCARDED, kind=Kind.LOST, event_type="a", event_time=moment(-9 * 86400))
        DeadEventFactory(event_type="b")
        assert listed(admin_client.get(url("deadevent"), query)) == [found]

    def test_reads_no_payloads(self, admin_client: Client) -> None:
        DeadEventFactory(payload=payload())
        (event,) = listed(admin_client.get(url("deadevent")))
        assert {"payload", "body"} <= event.get_deferred_fields()


class TestPersonalData:
    PAYLOAD = {
        "course_passing_status": {
            "is_passing": True,
            "user": {"id": 7, "pii": {"username": "anna", "email": "anna@x.org", "name": "Anna Lee"}},
            "course": {"course_key": "course-v1:x+y+z", "display_name": "Demo"},
        },
        "requesting_user": {"name": "Staff Person", "username": "boss"},
        "badge": {"name": "Kept", "recipients": [{"email": "b@x.org"}]},
        "pii": [{"nickname": "anna"}],
    }

    def test_of_a_payload_is_masked_and_the_rest_is_shown(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=self.PAYLOAD)
        page = text_of(admin_client.get(url("deadevent", event.pk, "change")))
        for text in ("course-v1:x+y+z", "Demo", "is_passing", "Kept", "********"):
            assert text in page
        for text in ("anna", "Anna", "boss", "Staff Person", "b@x.org"):
            assert text not in page
        assert history() == []

    def test_of_a_payload_is_shown_when_asked_for_and_that_is_recorded(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=self.PAYLOAD)
        page = text_of(admin_client.post(url("deadevent", event.pk, "reveal")))
        for text in ("anna@x.org", "Anna Lee", "boss", "Demo"):
            assert text in page
        assert "********" not in page
        assert history() == ["Personal data was shown."]

    def test_is_masked_again_on_the_next_page(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=self.PAYLOAD)
        admin_client.post(url("deadevent", event.pk, "reveal"))
        assert "anna@x.org" not in text_of(admin_client.get(url("deadevent", event.pk, "change")))

    def test_is_not_shown_for_an_address_alone(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=self.PAYLOAD)
        page = admin_client.get(url("deadevent", event.pk, "reveal"), follow=True)
        assert "anna@x.org" not in text_of(page)
        assert history() == []

    def test_is_kept_from_caches(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=self.PAYLOAD)
        answer = admin_client.post(url("deadevent", event.pk, "reveal"))
        assert "no-store" in answer["Cache-Control"]

    def test_of_a_message_is_masked_with_its_whole_body(self, admin_client: Client) -> None:
        event = park_message(fields("anna", note=b"anna"), origin(), UnreadableMessage("No Avro."))
        address = url("deadevent", event.pk, "change")
        masked, shown = (
            text_of(admin_client.get(address)),
            text_of(admin_client.post(url("deadevent", event.pk, "reveal"))),
        )
        assert "anna" not in masked
        assert "minorversion" in masked
        assert "anna@example.com" in shown
        assert factories.COURSE in shown

    def test_is_not_shown_without_the_permission(self, staff: Staff) -> None:
        event = DeadEventFactory(payload=self.PAYLOAD)
        client = staff("view_deadevent")
        assert client.post(url("deadevent", event.pk, "reveal")).status_code == 403
        assert "Show personal data" not in text_of(client.get(url("deadevent", event.pk, "change")))
        assert history() == []


class TestReplay:
    def test_tells_how_many_worked_and_why_the_others_did_not(self, admin_client: Client) -> None:
        factories.RequirementFactory()
        works, fails = DeadEventFactory(payload=payload()), DeadEventFactory.create_batch(2)

        page = act(admin_client, "deadevent", "replay", works, *fails)

        assert messages(page) == [
            "2 events could not be replayed: The payload lacks: course_passing_status.",
            "1 event was replayed.",
        ]
        assert [entry.object_id for entry in LogEntry.objects.all()] == [str(works.pk)]
        assert history() == ["Replayed."]

    def test_processes_an_event(self, admin_client: Client) -> None:
        factories.RequirementFactory(group="A")
        event = DeadEventFactory(payload=payload())
        act(admin_client, "deadevent", "replay", event)
        event.refresh_from_db()
        assert event.status == Status.REPLAYED
        assert models.Badge.objects.get().user.get_username() == "anna"

    def test_leaves_alone_what_is_finished(self, admin_client: Client) -> None:
        rows = [DeadEventFactory(status=status, payload=payload()) for status in (Status.REPLAYED, Status.DISCARDED)]
        page = act(admin_client, "deadevent", "replay", *rows)
        assert messages(page)[-1] == "2 were left alone: they were replayed or discarded before."
        assert set(DeadEvent.objects.values_list("status", flat=True)) == {"replayed", "discarded"}

    def test_says_what_cannot_be_replayed(self, admin_client: Client) -> None:
        lost = DeadEventFactory(kind=Kind.LOST, event_id=None, event_time=None)
        assert "is lost, and cannot be replayed" in messages(act(admin_client, "deadevent", "replay", lost))[0]
        assert 'replay/"' not in text_of(admin_client.get(url("deadevent", lost.pk, "change")))

    def test_is_a_button_of_the_page(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=payload())
        address = url("deadevent", event.pk, "replay")
        assert f'action="{address}"' in text_of(admin_client.get(url("deadevent", event.pk, "change")))

        assert admin_client.get(address).status_code == 405
        page = admin_client.post(address, follow=True)

        assert messages(page) == ["1 event was replayed."]
        assert f'action="{address}"' not in text_of(page)

    def test_ends_before_somebody_waits_too_long(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("badges.admin.dead_event_actions.SECONDS", -1.0)
        rows = [DeadEventFactory(payload=payload()) for _ in range(3)]
        page = act(admin_client, "deadevent", "replay", *rows)
        assert messages(page)[0] == "1 event was replayed."
        assert messages(page)[1].startswith("2 more wait")

    def test_of_all_of_a_kind_shows_the_number_first(self, admin_client: Client) -> None:
        factories.RequirementFactory()
        rows = [DeadEventFactory(payload=payload(f"learner{n}"), error="The same.") for n in range(3)]
        other = DeadEventFactory(payload=payload("other"), error="Another.")
        address = url("deadevent", rows[0].pk, "alike")
        assert f'href="{address}"' in text_of(admin_client.get(url("deadevent", rows[0].pk, "change")))

        page = admin_client.get(address)
        assert "3 dead events will be replayed" in text_of(page)
        assert not models.Badge.objects.exists()
        done = confirm(admin_client, page)

        assert messages(done) == ["3 events were replayed."]
        assert DeadEvent.objects.get(status=Status.WAITING) == other

    def test_of_all_of_the_kinds_of_some_takes_what_is_on_other_pages(self, admin_client: Client) -> None:
        rows = [DeadEventFactory(payload=payload(), error=error) for error in "AABBC"]
        page = act(admin_client, "deadevent", "replay_alike", rows[0], rows[2])
        assert "4 dead events will be replayed" in text_of(page)

        confirm(admin_client, page)

        assert DeadEvent.objects.get(status=Status.WAITING) == rows[4]

    def test_of_all_of_a_kind_takes_errors_that_differ_in_a_number_for_one(self, admin_client: Client) -> None:
        rows = [DeadEventFactory(payload=payload(), error=f"Message {number}-0 is bad.") for number in range(3)]
        page = act(admin_client, "deadevent", "replay_alike", *rows)
        assert "3 dead events will be replayed" in text_of(page)
        assert "3 events like this one: Message 0-0 is bad." in text_of(page)

    def test_of_a_kind_of_which_none_waits_changes_nothing(self, admin_client: Client) -> None:
        page = act(admin_client, "deadevent", "replay_alike", DeadEventFactory(status=Status.DISCARDED))
        assert "Nothing was changed" in text_of(page)

    def test_begins_with_the_deliveries_when_all_is_processed(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[list[int]] = []
        monkeypatch.setattr(
            "badges.admin.dead_event_actions.tasks.enqueue_all", lambda ids, **_: begun.append(list(ids))
        )
        act(admin_client, "deadevent", "replay", DeadEventFactory(payload=payload()))
        assert len(begun) == 1


class TestDiscard:
    def test_asks_for_a_reason_and_keeps_it(self, admin_client: Client) -> None:
        rows = [DeadEventFactory(), DeadEventFactory(kind=Kind.LOST), DeadEventFactory(status=Status.REPLAYED)]

        page = act(admin_client, "deadevent", "discard", *rows)
        assert "2 dead events will be discarded" in text_of(page)
        assert "1 is left alone" in text_of(page)
        done = confirm(admin_client, page, reason=REASON)

        assert messages(done) == ["2 dead events were discarded."]
        assert list(DeadEvent.objects.order_by("pk").values_list("status", "note")) == [
            ("discarded", REASON),
            ("discarded", REASON),
            ("replayed", ""),
        ]
        assert history() == [f"Discarded: {REASON}"] * 2

    def test_without_a_reason_changes_nothing(self, admin_client: Client) -> None:
        page = act(admin_client, "deadevent", "discard", DeadEventFactory())
        refused = confirm(admin_client, page, reason=" ")
        assert "Enter a reason" in text_of(refused)
        assert DeadEvent.objects.get().status == Status.WAITING

    def test_is_a_button_of_the_page_and_can_be_taken_back(self, admin_client: Client) -> None:
        event = DeadEventFactory(payload=payload())
        change, back = url("deadevent", event.pk, "change"), url("deadevent", event.pk, "put_back")
        assert f'href="{url("deadevent", event.pk, "discard")}"' in text_of(admin_client.get(change))

        done = confirm(admin_client, admin_client.get(url("deadevent", event.pk, "discard")), reason=REASON)
        assert done.redirect_chain[-1][0] == change
        assert REASON in text_of(done)
        assert f'action="{back}"' in text_of(done)
        assert admin_client.get(back).status_code == 405
        admin_client.post(back)

        event.refresh_from_db()
        assert event.status == Status.WAITING
        assert history() == [f"Discarded: {REASON}", "Put back."]

    def test_takes_no_more_at_once_than_somebody_waits_for(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("badges.admin.dead_event_forms.LIMIT", 2)
        page = act(admin_client, "deadevent", "discard", *DeadEventFactory.create_batch(3))
        assert "1 more are selected" in text_of(page)
        confirm(admin_client, page, reason=REASON)
        assert DeadEvent.objects.filter(status=Status.DISCARDED).count() == 2


PAGES = ("replay", "put_back", "reveal", "alike", "discard")


@pytest.mark.parametrize("slug", PAGES)
class TestEveryPage:
    def test_needs_the_permission_to_change(self, staff: Staff, slug: str) -> None:
        event = DeadEventFactory(payload=payload())
        client = staff("view_deadevent")
        for address in (url("deadevent", event.pk, slug), *([url("deadevent", slug)] if slug in PAGES[3:] else [])):
            assert client.post(address, {"ids": event.pk, "reason": REASON}).status_code == 403
        assert DeadEvent.objects.get().status == Status.WAITING
        assert staff("view_deadevent", "change_deadevent").post(url("deadevent", event.pk, slug)).status_code < 400

    def test_needs_the_token_against_forgery(self, admin_user: Any, slug: str) -> None:
        event = DeadEventFactory(payload=payload())
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        answer = client.post(url("deadevent", event.pk, slug), {"reason": REASON})
        assert answer.status_code == 403

    def test_of_an_event_that_is_gone_says_so_and_breaks_nothing(self, admin_client: Client, slug: str) -> None:
        answer = admin_client.post(url("deadevent", 4711, slug), {"reason": REASON}, follow=True)
        assert answer.status_code == 200

    def test_of_many_survives_nonsense(self, admin_client: Client, slug: str) -> None:
        for ids in ("", "x,²,-1", "9" * 30, "1,,2"):
            answer = admin_client.post(url("deadevent", slug), {"ids": ids, "reason": REASON}, follow=True)
            assert answer.status_code in (200, 404)


def test_the_actions_need_the_permission_to_change(staff: Staff) -> None:
    event = DeadEventFactory(payload=payload())
    client = staff("view_deadevent")
    for action in ("replay", "replay_alike", "discard"):
        act(client, "deadevent", action, event)
    event.refresh_from_db()
    assert event.status == Status.WAITING
    page = text_of(client.get(url("deadevent", event.pk, "change")))
    for button in ("Replay", "Discard..."):
        assert button not in page


@pytest.mark.parametrize("parts", [(), (1, "replay"), (1, "alike"), ("alike",), ("discard",), (1, "change")])
def test_no_page_is_one_transaction(parts: tuple[object, ...]) -> None:
    """With ATOMIC_REQUESTS each replay is nevertheless its own: one that fails undoes no other."""
    assert "default" in resolve(url("deadevent", *parts)).func._non_atomic_requests  # type: ignore[attr-defined]
