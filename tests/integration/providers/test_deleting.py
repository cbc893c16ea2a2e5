"""Deleting at each provider, as its documents say it: what is sent, and what the answers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import responses
from attrs import evolve, frozen

from badges.data import Award, IssuedBadge
from badges.exceptions import ProviderAuthError, ProviderRejected, ProviderUnavailable
from badges.providers.base import Provider
from tests.integration.providers.helpers import (
    ACCREDIBLE,
    ACCREDIBLE_AWARD,
    AWARD,
    BADGEKIT,
    BADGEKIT_API,
    BADGEKIT_AWARD,
    CREDLY,
    CREDLY_ORGANIZATION,
    accredible,
    badgekit,
    credly,
)

INSTANCES = f"{BADGEKIT}/badges/explorer/instances"
OWN_ID = str(BADGEKIT_AWARD.uuid)


@frozen
class Case:
    """A provider that deletes by its own identifier."""

    connect: Callable[[], Provider]
    award: Award
    address: str
    check: str
    """What is asked to see whether the account works."""
    account: dict[str, Any]
    done: dict[str, Any]


CASES = {
    "credly": Case(
        credly, AWARD, f"{CREDLY}/badges/b-1", CREDLY, {"data": {"id": CREDLY_ORGANIZATION}}, {"status": 204}
    ),
    "accredible": Case(
        accredible,
        ACCREDIBLE_AWARD,
        f"{ACCREDIBLE}/credentials/b-1",
        f"{ACCREDIBLE}/issuer/details",
        {"issuer": {"id": 1, "name": "Academy"}},
        {"json": {"credential": {"id": "b-1", "name": "Python"}}},
    ),
}
GONE = IssuedBadge("b-1", "deleted", is_valid=False)


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(autouse=True)
def mock(settings: Any) -> Any:
    settings.BADGES_CONFIG = {"badgekit": {"BADGEKIT_API_BASE_URL": BADGEKIT_API}}
    with responses.RequestsMock() as active:
        yield active


def test_a_badge_is_deleted_by_its_identifier(case: Case, mock: Any) -> None:
    mock.delete(case.address, **case.done)
    assert case.connect().delete("b-1", award=case.award) == GONE


def test_what_is_gone_counts_as_deleted_if_the_account_works(case: Case, mock: Any) -> None:
    mock.delete(case.address, status=404, json={"errors": "Doesn't exist"})
    mock.get(case.check, json=case.account)
    assert case.connect().delete("b-1", award=case.award) == GONE


def test_a_wrong_account_does_not_pass_for_a_deleted_badge(case: Case, mock: Any) -> None:
    for method, address in ((mock.delete, case.address), (mock.get, case.check)):
        method(address, status=404, json={"errors": "Doesn't exist"})
    with pytest.raises(ProviderRejected):
        case.connect().delete("b-1", award=case.award)


def test_a_key_without_the_right_to_delete_is_refused_with_a_way_out(case: Case, mock: Any) -> None:
    mock.delete(case.address, status=403, json={"errors": "anna@example.com: forbidden"})
    mock.get(case.check, json=case.account)
    with pytest.raises(ProviderRejected, match=r"HTTP 403.*then retry the delivery") as caught:
        case.connect().delete("b-1", award=case.award)
    assert "anna" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_good_for_nothing_is_an_auth_error(case: Case, mock: Any, status: int) -> None:
    mock.delete(case.address, status=status, json={"errors": "No"})
    if status == 403:
        mock.get(case.check, status=403, json={"errors": "No"})
    with pytest.raises(ProviderAuthError):
        case.connect().delete("b-1", award=case.award)


def test_a_provider_that_is_down_leaves_the_outcome_unknown(case: Case, mock: Any) -> None:
    mock.delete(case.address, status=503)
    with pytest.raises(ProviderUnavailable) as caught:
        case.connect().delete("b-1", award=case.award)
    assert caught.value.outcome_unknown


def test_an_instance_is_deleted_by_its_address(mock: Any) -> None:
    mine = f"{INSTANCES}/anna%40example.com"
    mock.get(mine, json={"instance": {"slug": OWN_ID, "email": BADGEKIT_AWARD.email}})
    mock.delete(mine, json={"instance": {"slug": OWN_ID}})
    assert badgekit().delete(OWN_ID, award=BADGEKIT_AWARD).state == "deleted"


@pytest.mark.parametrize("email", ["", "retired@example.com"])
def test_an_instance_is_found_by_its_identifier_after_the_learner_was_anonymized(mock: Any, email: str) -> None:
    if email:
        mock.get(f"{INSTANCES}/retired%40example.com", status=404, json={"code": "ResourceNotFound"})
    mock.get(f"{BADGEKIT}/badges/explorer", json={"badge": {"slug": "explorer"}})
    rows = [{"slug": "another", "email": "b@example.com"}, {"slug": OWN_ID, "email": "anna@example.com"}]
    mock.get(INSTANCES, json={"instances": rows, "pageData": {"page": 1, "count": 2, "total": 2}})
    deleted = mock.delete(f"{INSTANCES}/anna%40example.com", json={"instance": {"slug": OWN_ID}})
    badgekit().delete(OWN_ID, award=evolve(BADGEKIT_AWARD, email=email))
    assert deleted.call_count == 1


def test_an_instance_that_its_list_does_not_show_is_not_taken_for_deleted(mock: Any) -> None:
    mock.get(f"{BADGEKIT}/badges/explorer", json={"badge": {"slug": "explorer"}})
    mock.get(INSTANCES, json={"instances": [], "pageData": {"page": 1, "count": 0, "total": 0}})
    mock.get(f"{BADGEKIT_API}/public/assertions/{OWN_ID}", json={"uid": OWN_ID})
    with pytest.raises(ProviderRejected, match="no instance of it in its list"):
        badgekit().delete(OWN_ID, award=evolve(BADGEKIT_AWARD, email=""))


def test_of_a_badge_that_is_gone_there_is_no_instance_if_the_system_is_right(mock: Any) -> None:
    mock.get(f"{BADGEKIT}/badges/explorer", status=404, json={"code": "ResourceNotFound"})
    system = mock.get(BADGEKIT, json={"system": {"slug": "city"}})
    mock.get(f"{BADGEKIT_API}/public/assertions/{OWN_ID}", status=404, json={"code": "ResourceNotFound"})
    assert badgekit().delete(OWN_ID, award=evolve(BADGEKIT_AWARD, email="")).state == "deleted"
    assert system.call_count == 1
