"""The frozen objects: names as providers want them, and no secret in their text."""

from __future__ import annotations

import uuid

import pytest

from badges.data import Account, Award, Learner
from badges.exceptions import ConfigurationError, describe
from tests.factories import moment


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Anna Lee", "Anna", "Lee"),
        ("Anna Maria Lee", "Anna Maria", "Lee"),
        ("Anna", "Anna", "Anna"),
        ("  Anna   Lee ", "Anna", "Lee"),
        ("李 小龍", "李", "小龍"),
        ("", "", ""),
    ],
)
def test_a_name_is_split_for_providers_that_want_it_in_two(name: str, first: str, last: str) -> None:
    award = Award(uuid=uuid.uuid4(), template_external_id="t", email="a@example.com", name=name, issued_at=moment(0))

    assert (award.first_name, award.last_name) == (first, last)


def test_texts_of_objects_hold_no_secret_and_no_personal_data() -> None:
    award = Award(uuid=uuid.uuid4(), template_external_id="t", email="a@b.c", name="Anna", issued_at=moment(0))
    account = Account(provider="credly", name="Org", api_key="very-secret")
    learner = Learner(username="anna", email="a@b.c", name="Anna Lee")

    text = repr((award, account, learner))
    assert "a@b.c" not in text
    assert "very-secret" not in text
    assert "Anna" not in text


def test_our_own_errors_are_told_in_full() -> None:
    assert describe(ConfigurationError("Set the key.")) == "Set the key."


def test_foreign_errors_are_told_by_type_and_place_only() -> None:
    try:
        raise ValueError("anna@example.com")
    except ValueError as error:
        text = describe(error)

    assert text.startswith("ValueError at ")
    assert "anna" not in text


def test_an_error_without_a_place_is_told_by_its_type() -> None:
    assert describe(ValueError("x")) == "ValueError."
