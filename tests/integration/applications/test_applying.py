"""Learners apply: what is taken, what is refused, and that a refusal leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from pytest_django import Settings

from badges.applications import applying
from badges.applications.errors import ApplicationRefused, NotAllowed, NotNow
from badges.applications.evidence import NewEvidence
from badges.models import Application, ApplicationChange, BadgeTemplate, Evidence
from tests.factories import ApplicationFactory, BadgeFactory, BadgeTemplateFactory, UserFactory
from tests.integration.applications.helpers import PNG, link, person, text, upload

pytestmark = pytest.mark.django_db
Status = Application.Status


@pytest.fixture
def template() -> BadgeTemplate:
    made: BadgeTemplate = BadgeTemplateFactory(takes_applications=True)
    return made


def stored(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


def history(application: Application) -> list[tuple[str, Any]]:
    return list(application.changes.values_list("status", "by"))


def test_an_application_holds_what_was_handed_in(template: BadgeTemplate, media: Path) -> None:
    learner = UserFactory()

    made = applying.submit(template, learner, statement=" Look! ", evidence=[link(reflection="A"), text(), upload()])

    assert (made.status, made.statement, made.user, made.is_open) == (Status.SUBMITTED, "Look!", learner, True)
    assert history(made) == [(Status.SUBMITTED, learner.pk)]
    first, second, third = made.evidence.all()
    assert (first.kind, first.url, first.reflection) == ("link", "https://example.com/work", "A")
    assert (second.kind, second.text) == ("text", "I did it.")
    assert (third.kind, third.file_name, third.media_type) == ("file", "work.png", "image/png")
    assert third.file.read() == PNG
    third.file.close()


def test_a_file_is_kept_under_a_name_that_tells_nothing(template: BadgeTemplate, media: Path) -> None:
    applying.submit(template, UserFactory(), evidence=[upload(name="anna-lee.png"), upload(name="anna-lee.png")])

    names = [path.name for path in stored(media)]
    assert len(set(names)) == 2
    assert all(len(name) == 40 and "anna" not in name and "." not in name for name in names)


def test_a_project_may_keep_files_in_a_storage_of_their_own(
    template: BadgeTemplate, settings: Settings, media: Path, tmp_path: Path
) -> None:
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "badges_evidence": {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "private")}},
    }

    made = applying.submit(template, UserFactory(), evidence=[upload()])

    assert not stored(media)
    (path,) = stored(tmp_path / "private")
    assert path.read_bytes() == PNG
    with (tmp_path / "private" / str(made.evidence.get().file.name)).open("rb") as file:
        assert file.read() == PNG


@pytest.mark.parametrize("values", [{"takes_applications": False}, {"is_active": False}])
def test_a_template_that_takes_no_applications_gets_none(values: dict[str, bool]) -> None:
    template = BadgeTemplateFactory(**{"takes_applications": True, **values})

    with pytest.raises(ApplicationRefused, match="no applications are taken"):
        applying.submit(template, UserFactory(), statement="Please.")


def test_a_learner_has_one_open_application_for_a_template(template: BadgeTemplate, media: Path) -> None:
    learner = UserFactory()
    first = applying.submit(template, learner, statement="Please.")

    with pytest.raises(NotNow, match="open application"):
        applying.submit(template, learner, evidence=[upload()])

    assert not stored(media)
    applying.withdraw(first)
    applying.submit(template, learner, statement="Please!")
    applying.submit(BadgeTemplateFactory(takes_applications=True), learner, statement="This one too.")
    applying.submit(template, UserFactory(), statement="Me too.")
    assert Application.objects.count() == 4


@pytest.mark.parametrize(("status", "words"), [("awarded", "is awarded"), ("revoked", "taken away")])
def test_who_has_or_had_the_badge_cannot_apply_for_it(template: BadgeTemplate, status: str, words: str) -> None:
    badge = BadgeFactory(template=template, status=status)

    with pytest.raises(NotNow, match=words):
        applying.submit(template, badge.user, statement="Please.")


def test_staff_apply_for_a_learner_and_the_history_says_so(template: BadgeTemplate) -> None:
    staff, learner = person("add_application"), UserFactory()

    made = applying.submit(template, learner, statement="She did it.", by=staff)

    assert made.user == learner
    assert history(made) == [(Status.SUBMITTED, staff.pk)]


def test_nobody_applies_for_others_without_the_permission(template: BadgeTemplate) -> None:
    with pytest.raises(NotAllowed):
        applying.submit(template, UserFactory(), statement="Please.", by=person("review_application"))


def test_an_inactive_learner_cannot_apply(template: BadgeTemplate) -> None:
    with pytest.raises(ApplicationRefused, match="not active"):
        applying.submit(template, UserFactory(is_active=False), statement="Please.")


def test_an_application_without_anything_is_refused(template: BadgeTemplate) -> None:
    with pytest.raises(ApplicationRefused, match="show something"):
        applying.submit(template, UserFactory(), statement=" \n")


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (link("javascript:alert(1)"), "must be an address"),
        (link("data:text/html,x"), "must be an address"),
        (link("ftp://example.com/work"), "must be an address"),
        (link("https://exa mple.com/"), "must be an address"),
        (link("https://example.com/\n<script>"), "must be an address"),
        (link(""), "must be an address"),
        (link("https://example.com/" + "a" * 1000), "more than 1000 characters"),
        (text(" "), "is empty"),
        (text("a" * 20_001), "20001 characters"),
        (link(reflection="a" * 5_001), "5001 characters"),
        (upload(b""), "is empty"),
        (NewEvidence("file"), "is empty"),
        (upload(b"MZ\x90\x00\x03 a program", "work.png", "image/png"), "none of the types"),
        (upload(b"<?xml version='1.0'?>\x00", "work.svg", "image/svg+xml"), "none of the types"),
        (upload(b"GIF89a" + bytes(20), "work.png", "image/png"), "none of the types"),
        (upload(PNG + bytes(4_194_304), "work.png"), "at most 4194 kB"),
        (NewEvidence("film"), "a link, a text or a file"),
    ],
)
def test_evidence_that_is_not_taken_is_named_and_leaves_nothing(
    template: BadgeTemplate, media: Path, piece: NewEvidence, words: str
) -> None:
    with pytest.raises(ApplicationRefused, match=words) as caught:
        applying.submit(template, UserFactory(), statement="Please.", evidence=[upload(), piece])

    assert caught.value.field == "evidence.1"
    assert not Application.objects.exists()
    assert not stored(media)


def test_the_settings_say_how_much_is_taken_and_of_what(template: BadgeTemplate, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"applications": {"max_evidence": 2, "max_file": 1000, "file_types": ["image/gif"]}}

    applying.submit(template, UserFactory(), evidence=[upload(b"GIF89a" + bytes(20)), text()])

    for evidence, words in (
        ([text()] * 3, "At most 2 pieces"),
        ([upload()], "image/gif"),
        ([upload(b"GIF89a" + bytes(1000))], "at most 1 kB"),
    ):
        with pytest.raises(ApplicationRefused, match=words):
            applying.submit(template, UserFactory(), evidence=evidence)


def test_what_no_database_can_hold_is_stored_without_it(template: BadgeTemplate) -> None:
    made = applying.submit(
        template, UserFactory(), statement="a\x00b\ud800", evidence=[text("c\x00"), upload(name="d\x00\n\u202egnp.exe")]
    )

    made.refresh_from_db()
    words, file = made.evidence.all()
    assert made.statement == "a\ufffdb?"
    assert words.text == "c\ufffd"
    assert file.file_name == "d\ufffdgnp.exe"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("..\\..\\etc\\passwd", "passwd"),
        ("a" * 300 + ".png", "a" * 187 + ".png"),
        ("b" * 300, "b" * 200),
        ("...", "evidence"),
    ],
)
def test_the_name_of_a_file_is_the_last_part_of_what_it_was_called(
    template: BadgeTemplate, name: str, kept: str
) -> None:
    upload_of_that_name = upload()
    assert upload_of_that_name.file is not None
    # Django's own class has cleaned it already; another one need not.
    upload_of_that_name.file._name = name  # type: ignore[attr-defined]
    made = applying.submit(template, UserFactory(), evidence=[upload_of_that_name])

    assert made.evidence.get().file_name == kept


def test_a_returned_application_is_handed_in_again_with_more() -> None:
    application = ApplicationFactory(status=Status.RETURNED)
    applied_at = application.submitted_at

    again = applying.resubmit(application, evidence=[link()])

    assert (again.status, again.statement, again.evidence.count()) == (Status.SUBMITTED, "I have done it.", 1)
    assert again.submitted_at > applied_at
    assert history(again) == [(Status.SUBMITTED, application.user.pk)]
    again.status = Status.RETURNED
    again.save()
    assert applying.resubmit(again, statement="Really.").statement == "Really."


@pytest.mark.parametrize("status", sorted(set(Status.values) - {Status.RETURNED}))
def test_only_a_returned_application_is_handed_in_again(status: str, media: Path) -> None:
    application = ApplicationFactory(status=status)

    with pytest.raises(NotNow):
        applying.resubmit(application, evidence=[upload()])

    assert not stored(media)
    assert not Evidence.objects.exists()


def test_others_neither_hand_in_again_nor_withdraw() -> None:
    application = ApplicationFactory(status=Status.RETURNED)

    for act in (applying.resubmit, applying.withdraw):
        with pytest.raises(NotAllowed):
            act(application, by=person("review_application", "change_application"))


@pytest.mark.parametrize("status", Application.OPEN)
def test_an_open_application_can_be_withdrawn(status: str) -> None:
    application = ApplicationFactory(status=status)

    withdrawn = applying.withdraw(application, by=application.user, reason="I was wrong.")

    assert (withdrawn.status, withdrawn.is_open, withdrawn.open_marker) == (Status.WITHDRAWN, False, None)
    assert withdrawn.processed_at is not None
    assert ApplicationChange.objects.get().note == "I was wrong."


def test_a_file_goes_with_its_row_once_that_is_committed(
    template: BadgeTemplate, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    learner = UserFactory()
    made = applying.submit(template, learner, evidence=[upload(), text(), upload()])
    assert len(stored(media)) == 2

    with django_capture_on_commit_callbacks(execute=True):
        made.evidence.first().delete()  # type: ignore[union-attr]
        assert len(stored(media)) == 2
    assert len(stored(media)) == 1

    with django_capture_on_commit_callbacks(execute=True):
        learner.delete()
    assert not stored(media)


def test_a_storage_that_fails_midway_keeps_nothing(
    template: BadgeTemplate, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = FileSystemStorage.save
    saved: list[str] = []

    def failing(self: Any, name: str, *args: Any, **kwargs: Any) -> str:
        if saved:
            raise OSError("No space left")
        saved.append(name)
        return save(self, name, *args, **kwargs)

    monkeypatch.setattr(FileSystemStorage, "save", failing)

    with pytest.raises(OSError, match="No space"):
        applying.submit(template, UserFactory(), evidence=[upload(), upload()])

    assert saved
    assert not stored(media)
    assert not Application.objects.exists()
