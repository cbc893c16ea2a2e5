"""Applications in the admin: who sees and does what, and what the pages show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from badges.applications import applying
from badges.models import Application, Badge, BadgeKitSystem, Review
from tests.factories import ApplicationFactory, BadgeTemplateFactory, CriterionFactory, UserFactory, moment
from tests.integration.admin.pages import Staff, messages, url
from tests.integration.applications.helpers import PNG, link, text, upload

pytestmark = pytest.mark.django_db
Status = Application.Status
LIST = url("application")


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def page(application: Application, *parts: str) -> str:
    return url("application", application.pk, *(parts or ("change",)))


def body(response: Any) -> str:
    assert response.status_code == 200
    shown: str = response.content.decode()
    return shown


def said(application: Application, **values: Any) -> dict[str, Any]:
    """What the form of a review sends."""
    return {"seen_at": application.submitted_at.isoformat(), "decision": "approve", **values}


def test_a_reviewer_without_another_permission_sees_and_reviews(staff: Staff) -> None:
    client = staff("review_application")
    application = ApplicationFactory()
    required = CriterionFactory(template=application.template, description="It works", note="Look at the tests.")
    optional = CriterionFactory(template=application.template, description="It is nice", is_required=False)

    assert "Applications" in body(client.get("/admin/"))
    assert application.user.username in body(client.get(LIST))
    shown = body(client.get(page(application)))
    for words in ("I have done it.", "It works (required)", "Look at the tests.", "It is nice", "Ask again"):
        assert words in shown
    assert "Close the application" not in shown

    sent = said(
        application, **{f"satisfied_{required.pk}": "on", f"comment_{optional.pk}": "Not very."}, comment="Good."
    )
    answer = client.post(page(application, "review"), sent, follow=True)

    assert messages(answer) == ["Approved."]
    assert list(Review.objects.get().items.values_list("is_satisfied", "comment")) == [(True, ""), (False, "Not very.")]
    for words in ("Good.", "Not very.", "approved, to be awarded"):
        assert words in body(answer)


def test_an_approval_without_a_required_criterion_is_refused_and_keeps_what_was_typed(staff: Staff) -> None:
    application = ApplicationFactory()
    CriterionFactory(template=application.template, description="It works")

    answer = staff("review_application").post(page(application, "review"), said(application, comment="Typed words"))

    shown = body(answer)
    assert "these required criteria are not satisfied: It works" in shown
    assert "Typed words" in shown
    assert "<title>Error:" in shown
    assert not Review.objects.exists()


def test_more_is_asked_with_a_word(staff: Staff) -> None:
    client, application = staff("review_application"), ApplicationFactory()

    assert "Say what is missing" in body(client.post(page(application, "review"), said(application, decision="ask")))
    answer = client.post(page(application, "review"), said(application, decision="ask", comment="More!"), follow=True)

    assert messages(answer) == ["More is asked of the learner."]
    application.refresh_from_db()
    assert application.status == Status.RETURNED


@pytest.mark.parametrize("seen_at", ["", "x", "2026-01-01T00:00:00", "2026-99-99T00:00:00Z", moment(-1).isoformat()])
def test_what_was_not_read_is_not_reviewed(staff: Staff, seen_at: str) -> None:
    application = ApplicationFactory()

    answer = staff("review_application").post(page(application, "review"), said(application, seen_at=seen_at))

    assert "Nothing was changed." in body(answer)
    assert not Review.objects.exists()


def test_a_reviewer_who_is_late_is_told_so(staff: Staff) -> None:
    application = ApplicationFactory(status=Status.APPROVED)

    answer = staff("review_application").post(page(application, "review"), said(application))

    assert "approved, to be awarded&quot; by now" in body(answer)


def test_nobody_sees_a_review_form_for_their_own(staff: Staff) -> None:
    client = staff("review_application", "change_application")
    application = ApplicationFactory(user_id=client.session["_auth_user_id"])

    shown = body(client.get(page(application)))

    assert "This is your own application" in shown
    assert "Ask again" not in shown
    assert "Close the application" not in shown
    assert "may" in "".join(messages(client.post(page(application, "assign"), follow=True)))
    answer = client.post(page(application, "review"), said(application))
    assert "Nobody reviews their own application." in body(answer)
    assert "Nobody decides" in messages(client.post(page(application, "close"), {"reason": "x"}, follow=True))[0]


def test_staff_award_with_one_click(staff: Staff) -> None:
    application = ApplicationFactory(status=Status.APPROVED)
    assert ">Award<" not in body(staff("review_application").get(page(application)))
    client = staff("change_application", "view_application")
    assert ">Award<" in body(client.get(page(application)))

    answer = client.post(page(application, "award"), follow=True)

    assert messages(answer) == ["The badge was awarded."]
    badge = Badge.objects.get()
    assert badge.user == application.user
    assert f"/admin/badges/badge/{badge.pk}/change/" in body(answer)
    assert "Award" not in [word.strip() for word in body(answer).split(">")]
    assert "by now" in messages(client.post(page(application, "award"), follow=True))[0]


def test_an_application_is_closed_with_a_reason(staff: Staff) -> None:
    client, application = staff("change_application"), ApplicationFactory()

    assert "Enter a reason." in body(client.post(page(application, "close"), {"reason": " "}))
    answer = client.post(page(application, "close"), {"reason": "A test."}, follow=True)

    assert messages(answer) == ["The application was closed."]
    assert "A test." in body(answer)


def test_an_application_is_assigned_and_found_by_it(staff: Staff) -> None:
    client = staff("review_application")
    mine, other = ApplicationFactory(user__username="anna"), ApplicationFactory(user__username="ben")

    client.post(page(mine, "assign"), {"to": "me"})

    def found(query: str) -> set[str]:
        shown = body(client.get(f"{LIST}?{query}"))
        return {name for name in ("anna", "ben") if f">{name}<" in shown}

    assert found("assigned=me") == {"anna"}
    assert found("assigned=nobody") == {"ben"}
    assert found("assigned=nonsense") == set()
    assert found("status__exact=submitted") == {"anna", "ben"}
    assert found(f"template={other.template.pk}") == {"ben"}
    client.post(page(mine, "assign"), {"to": "nobody"})
    assert found("assigned=nobody") == {"anna", "ben"}


@pytest.mark.parametrize("part", ["change", "review", "award", "close", "assign", "evidence/1"])
def test_whoever_has_no_permission_sees_and_does_nothing(staff: Staff, part: str) -> None:
    client, application = staff("change_badgetemplate"), ApplicationFactory(status=Status.APPROVED)

    ask = client.get if part in ("change", "evidence/1") else client.post
    assert ask(page(application, part)).status_code == 403
    application.refresh_from_db()
    assert application.status == Status.APPROVED


@pytest.mark.parametrize("part", ["review", "award", "close", "assign"])
def test_nothing_is_done_by_following_a_link(staff: Staff, part: str) -> None:
    client = staff("change_application", "review_application")

    assert client.get(page(ApplicationFactory(), part)).status_code == 405
    assert client.post(url("application", 10**12, part)).status_code == 302


def test_evidence_is_shown_and_never_executed(staff: Staff) -> None:
    template = BadgeTemplateFactory(takes_applications=True)
    evil = "<script>alert(1)</script>"
    pieces = [
        link('https://example.com/?"onclick=x', reflection=evil),
        text(evil),
        upload(evil.encode(), f"{evil}.html"),
    ]
    application = applying.submit(template, UserFactory(), statement=evil, evidence=pieces)
    client = staff("review_application")

    shown = body(client.get(page(application)))

    assert evil not in shown
    assert shown.count("&lt;script&gt;") >= 3
    assert 'href="https://example.com/?&quot;onclick=x" rel="noopener noreferrer nofollow"' in shown
    file = application.evidence.get(kind="file")
    answer = client.get(page(application, "evidence", str(file.pk)))
    assert answer["Content-Disposition"].startswith("attachment; ")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("text/plain", "nosniff")
    # Closing it by hand would close the connection to the database too.
    assert b"".join(answer) == evil.encode()
    assert "/media" not in shown
    assert str(file.file.name) not in shown
    other = ApplicationFactory()
    assert client.get(page(other, "evidence", str(file.pk))).status_code == 404


def test_staff_apply_for_a_learner_with_evidence(staff: Staff) -> None:
    template = BadgeTemplateFactory(takes_applications=True)
    learner = UserFactory(username="anna", email="anna@example.com")
    client = staff("add_application", "view_application")
    sent = {
        "template": template.pk,
        "learner": "Anna@Example.com",
        "statement": "She did it.",
        "links": "https://example.com/a\n\nhttps://example.com/b",
        "text": "In words.",
        "files": [SimpleUploadedFile("a.png", PNG), SimpleUploadedFile("b.txt", b"Hm.")],
    }

    answer = client.post(url("application", "add"), sent, follow=True)

    assert messages(answer) == ["The application was handed in."]
    made = Application.objects.get()
    assert made.user == learner
    assert [one.kind for one in made.evidence.all()] == ["link", "link", "text", "file", "file"]
    assert made.changes.get().by_id == int(client.session["_auth_user_id"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learner": "nobody"}, "There is no active user"),
        ({"learner": "a\x00"}, "Null characters are not allowed"),
        ({"template": "0"}, "Select a valid choice"),
        ({"links": "https://example.com/\njavascript:alert(1)"}, "javascript:alert(1): A link must be an address"),
        (
            {"files": [SimpleUploadedFile("a.exe", b"MZ\x90\x00")]},
            "a.exe: By its content, this file is none of the types",
        ),
        ({"files": [SimpleUploadedFile("a.txt", b"")]}, "This file is empty"),
        ({"statement": ""}, "show something"),
    ],
)
def test_what_is_wrong_with_an_application_for_a_learner_is_told(
    staff: Staff, changes: dict[str, Any], words: str
) -> None:
    UserFactory(username="anna")
    sent = {"template": BadgeTemplateFactory(takes_applications=True).pk, "learner": "anna", "statement": "Hm."}

    answer = staff("add_application").post(url("application", "add"), {**sent, **changes})

    assert words in body(answer)
    assert not Application.objects.exists()


def test_only_who_may_add_applications_applies_for_others(staff: Staff) -> None:
    assert staff("review_application", "change_application").get(url("application", "add")).status_code == 403
    shown = body(staff("add_application").get(url("application", "add")))
    assert "At most 10 pieces of evidence" in shown


def test_a_copy_of_a_badgekit_system_shows_where_it_came_from(staff: Staff) -> None:
    system = BadgeKitSystem.objects.create(name="Our BadgeKit")
    copy = ApplicationFactory(user=None, learner_email="anna@example.com", account=system)
    copy.reviews.create(slug="a", author_email="r@example.com", is_approved=True, reviewed_at=moment(0))
    client = staff("review_application", "change_application")

    shown = body(client.get(page(copy)))

    for words in ("anna@example.com (not known here)", "Our BadgeKit", "r@example.com", "Close the application"):
        assert words in shown
    assert "Ask again" not in shown
    assert "anna@example.com" in body(client.get(LIST))


def test_titles_name_no_learner(staff: Staff) -> None:
    application = ApplicationFactory(user__username="anna", template__name="Python")

    shown = body(staff("review_application").get(page(application)))

    assert 'Application for "Python"' in shown.replace("&quot;", '"')
    assert "anna" not in shown.split("</title>")[0]


def test_an_application_is_deleted_with_its_files_by_who_may(
    staff: Staff, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    template = BadgeTemplateFactory(takes_applications=True)
    application = applying.submit(template, UserFactory(), evidence=[upload()])
    assert staff("review_application").get(page(application, "delete")).status_code == 403
    client: Client = staff("delete_application", "view_application")

    with django_capture_on_commit_callbacks(execute=True):
        client.post(page(application, "delete"), {"post": "yes"})

    assert not Application.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_staff_hand_in_again_for_a_learner(staff: Staff) -> None:
    application = ApplicationFactory(status=Status.RETURNED)
    assert "Hand in again..." not in body(staff("review_application").get(page(application)))
    client = staff("add_application", "view_application")
    assert "Hand in again..." in body(client.get(page(application)))
    address = page(application, "resubmit")
    assert "I have done it." in body(client.get(address))
    assert "a.exe: By its" in body(client.post(address, {"files": [SimpleUploadedFile("a.exe", b"MZ\x90\x00")]}))

    answer = client.post(
        address, {"statement": "Now really.", "files": [SimpleUploadedFile("a.png", PNG)]}, follow=True
    )

    assert messages(answer) == ["The application was handed in."]
    application.refresh_from_db()
    assert (application.status, application.statement) == (Status.SUBMITTED, "Now really.")
    assert application.evidence.get().file_name == "a.png"
    assert "by now" in body(client.post(address, {"statement": "Again."}))
    assert staff("add_application", "view_badge", "view_badgetemplate").get(address).status_code == 403
