"""An image whose address takes a call of its own is asked for once, and again where that came to nothing."""

from __future__ import annotations

import pytest

from badges import models
from badges.exceptions import ProviderAuthError, ProviderRateLimited, ProviderRejected
from badges.issuing.sync.run import sync_templates
from tests import factories
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed, numbers

pytestmark = pytest.mark.django_db
A, B = "https://example.com/a.png", "https://example.com/b.png"


def image_of(external_id: str) -> tuple[str, str]:
    """The address and the key that are kept."""
    template = models.BadgeTemplate.objects.get(external_id=external_id)
    return template.image_url, template.image_key


def test_each_image_of_a_page_is_asked_for_once(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.images = {"k": A, "l": B}
    answers.pages = [[listed("1", image_key="k"), listed("2", image_key="l"), listed("3", image_key="k")]]
    sync_templates(account)
    assert answers.asked_images == ["k", "l"]
    assert [image_of(external_id) for external_id in "123"] == [(A, "k"), (B, "l"), (A, "k")]


def test_a_known_image_is_not_asked_for_again(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.images = {"k": A}
    answers.pages = [[listed("1", image_key="k")]]
    sync_templates(account)
    answers.asked_images.clear()
    assert numbers(sync_templates(account)) == (0, 0, 1, 0)
    assert answers.asked_images == []


def test_another_image_is_asked_for(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.images = {"k": A, "l": B}
    answers.pages = [[listed("1", image_key="k")]]
    sync_templates(account)
    answers.pages = [[listed("1", image_key="l")]]
    assert numbers(sync_templates(account)) == (0, 1, 0, 0)
    assert image_of("1") == (B, "l")


def test_an_image_that_cannot_be_had_is_no_failure_and_is_asked_for_next_time(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.images = {"k": A}
    answers.pages = [[listed("1", image_key="k"), listed("2", image_key="gone")]]
    sync_templates(account)
    answers.pages = [[listed("1", image_key="gone"), listed("2", image_key="gone")]]
    sync_templates(account)
    assert image_of("1") == (A, "k"), "the one that is known stays"
    assert image_of("2") == ("", "")
    answers.images = {"gone": B}
    sync_templates(account)
    assert (image_of("1"), image_of("2")) == ((B, "gone"), (B, "gone"))


@pytest.mark.parametrize("answer", ["javascript:alert(1)", "https://example.com/" + "x" * 1000])
def test_an_address_that_cannot_be_one_counts_as_no_image(
    answers: Answers, account: models.CredlyOrganization, answer: str
) -> None:
    answers.images = {"k": answer}
    answers.pages = [[listed("1", image_key="k")]]
    sync_templates(account)
    assert image_of("1") == ("", "")


def test_an_address_in_the_list_needs_no_call(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed("1", image_url=A, image_key="k")]]
    sync_templates(account)
    assert (image_of("1"), answers.asked_images) == ((A, ""), [])


def test_an_image_that_is_not_told_stays(answers: Answers, account: models.CredlyOrganization) -> None:
    factories.CredlyBadgeTemplateFactory(account=account, external_id="1", image_url=A)
    answers.pages = [[listed("1", "Renamed")]]
    sync_templates(account)
    assert image_of("1") == (A, "")


def test_a_rate_limit_fails_the_run_and_the_next_one_asks_only_for_the_rest(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.images = {str(number): f"https://example.com/{number}.png" for number in range(4)}
    answers.pages = [[listed("first")], [listed(str(number), image_key=str(number)) for number in range(4)]]

    def too_many(key: str) -> None:
        if key == "2":
            raise ProviderRateLimited("Slow down.", retry_after=30)

    answers.before_image = too_many
    with pytest.raises(ProviderRateLimited):
        sync_templates(account)
    assert image_of("1") == ("https://example.com/1.png", "1"), "what was had before is kept"
    answers.before_image = lambda key: None
    answers.asked_images.clear()
    report = sync_templates(account)
    assert answers.first_pages == [1, 2], "it goes on with the page whose images are missing"
    assert (answers.asked_images, numbers(report)) == (["2", "3"], (0, 2, 0, 0))
    assert all(image_of(str(number)) == (answers.images[str(number)], str(number)) for number in range(4))


@pytest.mark.parametrize("kind", [ProviderRejected, ProviderAuthError])
def test_an_image_that_is_refused_is_no_failure_and_no_reason_to_stop_the_account(
    answers: Answers, account: models.CredlyOrganization, kind: type[ProviderRejected]
) -> None:
    answers.pages = [[listed("1", image_key="k")], [listed("2")]]

    def refuse(key: str) -> None:
        raise kind("Not for you.")

    answers.before_image = refuse
    assert numbers(sync_templates(account)) == (2, 0, 0, 0)
    assert models.AccountHealth.objects.get(account=account).stopped_at is None
