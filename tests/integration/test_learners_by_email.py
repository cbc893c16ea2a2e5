"""A learner is found by an e-mail address only where it can be nobody else."""

from __future__ import annotations

import pytest

from badges.models.users import learner_by_email, learners_by_email
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("spelling", ["anna@example.com", "Anna@Example.COM", " anna@example.com "])
def test_an_address_is_compared_in_whatever_case(spelling: str) -> None:
    anna = UserFactory(email="anna@EXAMPLE.com")
    assert learner_by_email(spelling) == anna


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "nobody@example.com", "anna@example.com\0", "anna@example.co", "%"),
        # MySQL takes letters for the same that are not.
        *("ánna@example.com", "anna@exämple.com"),
    ],
)
def test_any_other_address_is_nobodys(address: str) -> None:
    UserFactory(email="anna@example.com")
    UserFactory(email="")
    assert learner_by_email(address) is None


def test_an_address_of_several_is_nobodys() -> None:
    for email in ("anna@example.com", "ANNA@example.com"):
        UserFactory(email=email)
    assert learner_by_email("anna@example.com") is None


def test_those_who_are_not_active_do_not_count() -> None:
    anna = UserFactory(email="anna@example.com")
    UserFactory(email="anna@example.com", is_active=False)
    UserFactory(email="bob@example.com", is_active=False)
    assert learners_by_email(["anna@example.com", "bob@example.com"]) == {"anna@example.com": anna}
