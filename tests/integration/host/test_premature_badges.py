"""Badges that the built-in module awarded at the first of several requirements: listed, for somebody to decide on."""

from __future__ import annotations

import csv
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from badges.host.adoption import premature
from badges.host.adoption.premature import COLUMNS, PrematureBadge
from badges.models import Badge, Delivery, Fulfillment
from tests.factories import PASSING, UserFactory, moment
from tests.integration.host.adopting import Adoption, adoption
from tests.integration.host.built_in import EARNED, BuiltIn


@pytest.fixture
def template(built_in: BuiltIn) -> Adoption:
    """A Credly template, and anna."""
    UserFactory(username="anna")
    return adoption(built_in)


def row(**values: Any) -> PrematureBadge:
    """A row of the list."""
    texts: dict[str, Any] = {"username": "anna", "template_name": "Badge", "badge_uuid": "u", "external_id": ""}
    return PrematureBadge(**texts | {"state": "created", "missing": "missing: group B"} | values, awarded_at=moment(0))


def read(path: Path) -> list[dict[str, str]]:
    """The list, as a spreadsheet reads it."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_badge_of_which_a_group_is_missing_is_listed_and_stays(template: Adoption) -> None:
    first = template.requirement("A", description="Pass course A")
    template.requirement("B", description="Pass course B")
    template.requirement("B", description="")
    template.built_in.progress(template.there, "anna", [first])
    external = uuid.uuid4()
    there = template.badge("anna", external_uuid=external, state="pending")

    report = template.run()

    [listed] = template.premature
    assert (listed.username, listed.template_name, listed.badge_uuid) == ("anna", template.there.name, str(there.uuid))
    assert (listed.external_id, listed.state, listed.awarded_at) == (str(external), "pending", EARNED)
    last = max(template.requirements)
    assert listed.missing == f"missing: group B: Pass course B or {PASSING} (requirement {last})"
    assert Badge.objects.get().is_awarded
    assert not Delivery.objects.filter(action="revoke").exists()
    subject = f'badge template {template.there.pk} "{template.there.name}"'
    assert [note.subject for note in report.needs_person] == [subject]


def test_a_premature_badge_that_is_about_to_be_issued_is_told_of(template: Adoption) -> None:
    template.requirement("A")
    template.badge("anna", external_uuid=None, state="error")

    [note] = template.run().needs_person

    assert "1 of them were never issued" in note.text
    [again] = template.run().needs_person
    assert "never issued" not in again.text


def test_a_badge_of_which_nothing_is_known_is_listed_with_the_doubt(template: Adoption) -> None:
    template.requirement("", description="Pass course A")
    template.badge("anna")

    template.run()

    [listed] = template.premature
    assert listed.missing == (
        "nothing is recorded as fulfilled, perhaps under a former username; missing: Pass course A"
    )


def test_the_alternatives_of_a_group_need_not_all_be_fulfilled(template: Adoption) -> None:
    first = template.requirement("A")
    template.requirement("A")
    template.built_in.progress(template.there, "anna", [first])
    template.badge("anna")

    report = template.run()

    assert template.premature == []
    assert report.needs_person == []


def test_duplicates_are_counted_together(template: Adoption) -> None:
    for group in "AB":
        template.built_in.progress(template.there, "anna", [template.requirement(group)])
    template.badge("anna")

    template.run()

    assert template.premature == []


def test_a_plan_lists_them_too(template: Adoption) -> None:
    template.requirement("A")
    template.badge("anna")

    template.run(apply=False, is_here=False)

    assert len(template.premature) == 1
    assert not Badge.objects.exists()


def test_they_are_listed_again_until_they_are_earned(template: Adoption) -> None:
    template.requirement("A")
    template.built_in.progress(template.there, "anna", [template.requirement("B")])
    template.badge("anna")
    template.run()
    template.run()
    assert len(template.premature) == 1
    known = Fulfillment.objects.get()

    Fulfillment.objects.create(
        progress=known.progress,
        requirement_id=min(one.id for one in template.requirements.values()),
        event_type=PASSING,
        event_id=uuid.uuid4(),
        event_time=EARNED,
    )
    template.run()

    assert template.premature == []


def test_a_revoked_badge_is_not_listed(template: Adoption) -> None:
    template.requirement("A")
    template.badge("anna", status="revoked")

    template.run()

    assert template.premature == []


def test_a_template_without_requirements_has_none(template: Adoption) -> None:
    template.badge("anna")

    template.run()

    assert template.premature == []


def test_the_list_is_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "premature.csv"

    with premature.writing(path) as rows:
        rows(row(external_id="x1"))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    [found] = read(path)
    assert found == {
        "username": "anna",
        "template": "Badge",
        "badge_uuid": "u",
        "external_id": "x1",
        "state": "created",
        "awarded_at": "2026-01-01T00:00:00+00:00",
        "missing": "missing: group B",
    }


def test_a_list_of_before_that_others_could_read_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "premature.csv"
    path.write_text("old")
    path.chmod(0o644)

    with premature.writing(path):
        pass

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read(path) == []


def test_the_list_of_before_stays_where_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "premature.csv"
    path.write_text("old")

    with pytest.raises(AttributeError), premature.writing(path) as rows:
        rows(row(username=None))

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(path.with_name("other.csv"))])
def test_what_is_there_and_no_plain_file_is_refused_and_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Else ``--report /dev/null``, run by root, would put a file in its place."""
    path = tmp_path / "premature.csv"
    make(path)

    with pytest.raises(FileExistsError), premature.writing(path):
        pytest.fail("It was begun.")

    assert not stat.S_ISREG(path.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["", "missing/premature.csv"])
def test_a_place_where_no_file_can_be_is_refused_at_once(tmp_path: Path, place: str) -> None:
    with pytest.raises(OSError), premature.writing(tmp_path / place):  # noqa: PT011 - any of its kinds
        pytest.fail("It was begun.")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_finds_no_formula(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "premature.csv"

    with premature.writing(path) as rows:
        rows(row(username=f"{sign}cmd", template_name=f'{sign}HYPERLINK("x"),2', missing=f"{sign}1"))

    with path.open(newline="", encoding="utf-8") as file:
        assert not [cell for line in csv.reader(file) for cell in line if cell.startswith(sign)]


def test_what_was_listed_of_a_template_that_is_done_again_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "premature.csv"

    with premature.writing(path) as rows:
        rows(row(username="änna"))
        mark = rows.position()
        rows(row(username="berta"))
        rows.rewind(mark)
        rows(row(username="clara"))
        assert rows.number == 2

    assert [one["username"] for one in read(path)] == ["änna", "clara"]
