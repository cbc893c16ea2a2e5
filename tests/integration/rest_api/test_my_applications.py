"""What a learner's program does with applications."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.core.files.uploadedfile import SimpleUploadedFile

from badges.applications import reviewing
from badges.applications.reviewing import Judgement
from badges.models import Application
from tests.factories import ApplicationFactory, BadgeTemplateFactory, CriterionFactory, UserFactory
from tests.integration.applications.helpers import PNG, manager, reviewer
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
MINE = "my/applications/"
Status = Application.Status


@pytest.fixture
def learner() -> Any:
    return UserFactory(username="anna")


@pytest.fixture
def anna(api: Callable[..., Api], learner: Any) -> Api:
    return api(learner)


def test_templates_that_take_applications_are_listed_with_their_criteria(anna: Api, template: Any) -> None:
    criterion = CriterionFactory(template=template, description="It works", note="Look at the tests.")
    BadgeTemplateFactory(takes_applications=False)
    BadgeTemplateFactory(takes_applications=True, is_active=False)

    listed = anna.get("application-templates/").json()

    assert listed["count"] == 1
    told = listed["results"][0]
    assert (told["uuid"], told["name"]) == (str(template.uuid), "Python")
    assert told["criteria"] == [{"id": criterion.pk, "description": "It works", "is_required": True}]
    assert anna.get(f"application-templates/{template.uuid}/").json() == told


def test_badges_of_another_site_are_applied_for_there(anna: Api) -> None:
    there = Site.objects.create(domain="other.example.com", name="Other")
    elsewhere = BadgeTemplateFactory(takes_applications=True, site=there)
    here = BadgeTemplateFactory(takes_applications=True, site=Site.objects.get_current())

    assert [one["uuid"] for one in anna.get("application-templates/").json()["results"]] == [str(here.uuid)]
    assert anna.get(f"application-templates/{elsewhere.uuid}/").status_code == 404
    assert anna.post("my/applications/", {"template": str(elsewhere.uuid), "statement": "I."}).status_code == 400
    assert anna.post("my/applications/", {"template": str(here.uuid), "statement": "I."}).status_code == 201


def test_a_learner_applies_with_links_and_texts(anna: Api, template: Any, learner: Any) -> None:
    evidence = [{"kind": "link", "url": "https://example.com/", "reflection": "Mine."}, {"kind": "text", "text": "Hm."}]

    answer = anna.post(MINE, {"template": str(template.uuid), "statement": "Look!", "evidence": evidence})

    assert answer.status_code == 201
    told = answer.json()
    assert (told["status"], told["statement"], told["template"]["name"]) == ("submitted", "Look!", "Python")
    assert [(one["kind"], one["url"], one["text"]) for one in told["evidence"]] == [
        ("link", "https://example.com/", ""),
        ("text", "", "Hm."),
    ]
    assert [one["status"] for one in told["history"]] == ["submitted"]
    assert Application.objects.get(pk=told["id"]).user == learner
    assert anna.get(f"{MINE}{told['id']}/").json() == told
    assert [one["id"] for one in anna.get(MINE).json()["results"]] == [told["id"]]


def test_a_learner_applies_with_files_and_gets_them_back_as_attachments(anna: Api, template: Any) -> None:
    files = [SimpleUploadedFile("a.png", PNG), SimpleUploadedFile("b.html", b"<script>alert(1)</script>", "text/html")]
    data = {"template": str(template.uuid), "evidence": json.dumps([{"kind": "text", "text": "Hm."}]), "files": files}

    told = anna.form(MINE, data).json()

    assert [one["kind"] for one in told["evidence"]] == ["text", "file", "file"]
    assert told["evidence"][0]["file"] is None
    first, second = (anna._client.get(one["file"], headers={"accept": "image/png"}) for one in told["evidence"][1:])
    assert [b"".join(answer) for answer in (first, second)] == [PNG, b"<script>alert(1)</script>"]
    assert first["Content-Type"] == "image/png"
    for answer, name in ((first, "a.png"), (second, "b.html.txt")):
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["Cache-Control"] == "private, no-store"
    assert second["Content-Type"] == "text/plain"


def test_what_is_asked_is_told_and_answered(anna: Api, template: Any, learner: Any) -> None:
    first, second = (CriterionFactory(template=template, description=name) for name in "AB")
    application = ApplicationFactory(template=template, user=learner)
    said = [Judgement(first.pk, True), Judgement(second.pk, False, "The tests fail.")]
    author = reviewer(username="ruth")
    reviewing.review(application, author, items=said, comment="Nearly.", approves=False)

    answer = anna.get(f"{MINE}{application.pk}/")

    told = answer.json()
    assert told["status"] == "returned"
    assert told["asked"]["comment"] == "Nearly."
    assert [(one["description"], one["comment"]) for one in told["asked"]["missing"]] == [("B", "The tests fail.")]
    assert "ruth" not in answer.content.decode()

    again = anna.post(f"{MINE}{application.pk}/resubmit/", {"evidence": [{"kind": "text", "text": "They pass."}]})
    assert (again.status_code, again.json()["status"], again.json()["asked"]) == (200, "submitted", None)
    assert again.json()["statement"] == "I have done it."
    refused = anna.post(f"{MINE}{application.pk}/resubmit/", {"statement": "Again."})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_an_application_is_withdrawn(anna: Api, learner: Any) -> None:
    application = ApplicationFactory(user=learner)

    told = anna.post(f"{MINE}{application.pk}/withdraw/", {"reason": "Too early."}).json()

    assert (told["status"], told["history"][-1]["note"]) == ("withdrawn", "Too early.")


def test_the_reason_why_it_was_closed_is_told(anna: Api, learner: Any) -> None:
    application = ApplicationFactory(user=learner)
    reviewing.close(application, "The course has ended.", manager(username="mia"))

    answer = anna.get(f"{MINE}{application.pk}/")

    assert answer.json()["note"] == "The course has ended."
    assert "mia" not in answer.content.decode()


@pytest.mark.parametrize("path", ["", "withdraw/", "resubmit/", "evidence/1/"])
def test_applications_of_others_are_not_there(anna: Api, path: str) -> None:
    other = ApplicationFactory(status=Status.RETURNED)
    piece = other.evidence.create(kind="file", file="x", file_name="x")
    path = path.replace("1", str(piece.pk))

    for pk in (other.pk, 10**17, 0):
        ask = anna.get if path in ("", f"evidence/{piece.pk}/") else anna.post
        answer = ask(f"{MINE}{pk}/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert anna.get(MINE).json()["results"] == []


def test_evidence_of_another_application_is_not_handed_out_with_ones_own(anna: Api, learner: Any) -> None:
    own, other = ApplicationFactory(user=learner), ApplicationFactory()
    piece = other.evidence.create(kind="file", file="x", file_name="x")

    assert anna.get(f"{MINE}{own.pk}/evidence/{piece.pk}/").status_code == 404


def test_a_file_that_the_storage_has_lost_is_not_found(anna: Api, learner: Any) -> None:
    own = ApplicationFactory(user=learner)
    piece = own.evidence.create(kind="file", file="badging/evidence/gone", file_name="x")

    assert anna.get(f"{MINE}{own.pk}/evidence/{piece.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "template"),
        ({"template": "x"}, "template"),
        ({"template": None}, "template"),
        ({"template": {"a": 1}}, "template"),
        ({"template": 10**30}, "template"),
        ({"template": "00000000-0000-0000-0000-000000000000"}, "template"),
        ({"statement": ""}, "statement"),
        ({"statement": ["a"]}, "statement"),
        ({"statement": "a\x00"}, "statement"),
        ({"statement": "\ud800"}, "statement"),
        ({"evidence": "x"}, "evidence"),
        ({"evidence": ["x"]}, "evidence.0"),
        ({"evidence": [{"kind": "link", "url": "javascript:alert(1)"}]}, "evidence.0"),
        ({"evidence": [{"kind": "text", "text": "a"}, {"kind": "file"}]}, "evidence.1.kind"),
        ({"evidence": [{"kind": "text", "text": "a"}] * 11}, "evidence"),
        ({"files": ["x"]}, "files.0"),
    ],
)
def test_what_is_wrong_is_named(anna: Api, template: Any, data: dict[str, Any], field: str) -> None:
    answer = anna.post(MINE, data if "template" in data or not data else {"template": str(template.uuid), **data})

    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert error["code"] == "invalid"
    assert field in error["fields"]
    assert not Application.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"1", b'"x"', b"NaN", b'{"statement": NaN}', b"\xff", b"\x00"),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"template": ' + b"9" * 5000 + b"}"),
        b'{"template": "x", "template": "y"}',
        b'{"template": "\\ud800", "evidence": [{"kind": "\\ud800"}], "approves": "\\ud800"}',
    ],
)
def test_no_body_makes_the_server_fail(anna: Api, body: bytes) -> None:
    for path in (MINE, "applications/1/review/"):
        for content_type in ("application/json", "multipart/form-data; boundary=x", "text/plain", "nonsense"):
            answer = anna.raw(path, body, content_type)
            assert 400 <= answer.status_code < 500, (path, content_type, answer.content)
            assert set(answer.json()) == {"error"}


def test_the_evidence_of_a_form_that_is_no_json_is_refused(anna: Api, template: Any) -> None:
    for text in ("x", "[" * 100_000, "{}", "1"):
        answer = anna.form(MINE, {"template": str(template.uuid), "evidence": text})
        assert (answer.status_code, list(answer.json()["error"]["fields"])[:1]) == (400, ["evidence"])


def test_a_request_that_is_too_large_is_not_read(anna: Api, template: Any, settings: Any) -> None:
    settings.BADGES_CONFIG = {"applications": {"max_file": 1000, "max_evidence": 1}}
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    answer = anna.form(MINE, {"template": str(template.uuid), "files": [SimpleUploadedFile("a.png", PNG * 100)]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert anna.post(MINE, {"statement": "a" * 2000}).status_code == 413
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1
    answer = anna.form(MINE, {"statement": "a", "template": "b"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parse_error")


def test_strangers_are_turned_away(api: Callable[..., Api], template: Any) -> None:
    for path in ("application-templates/", MINE, "applications/"):
        answer = api().get(path)
        assert answer.status_code in (401, 403)
        assert answer.json()["error"]["code"] == "not_authenticated"


def test_a_learner_cannot_hand_in_without_end(anna: Api, template: Any) -> None:
    answers = [anna.post(MINE, {}) for _ in range(31)]

    assert [one.status_code for one in answers] == [400] * 30 + [429]
    assert answers[-1].json()["error"]["code"] == "throttled"
    assert int(answers[-1]["Retry-After"]) > 0
    assert anna.get(MINE).status_code == 200


def test_with_the_feature_off_nothing_is_there(anna: Api, settings: Any) -> None:
    settings.BADGES_ENABLED = False

    assert anna.get(MINE).status_code == 404


def test_a_uuid_is_the_same_in_capital_letters(anna: Api, template: Any) -> None:
    assert anna.get(f"application-templates/{str(template.uuid).upper()}/").status_code == 200
