"""A template is archived only where the provider, asked for it, does not hold it; what depends on it is named."""

from __future__ import annotations

import pytest

from badges import models
from badges.exceptions import ProviderRejected, ProviderUnavailable, UnexpectedAnswer
from badges.issuing.sync.report import InDoubt, Vanished
from badges.issuing.sync.run import sync_templates
from badges.issuing.sync.vanished import CHUNK
from tests import factories
from tests.factories import PASSING
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed, numbers, told_by

pytestmark = pytest.mark.django_db


def state_of(template: models.BadgeTemplate) -> tuple[str, bool]:
    """Its state at the provider, and whether it is active here."""
    template.refresh_from_db()
    return template.state, template.is_active


def test_what_depends_on_a_vanished_template_is_named(answers: Answers, account: models.CredlyOrganization) -> None:
    gone = factories.CredlyBadgeTemplateFactory(account=account, external_id="gone", name="Gone")
    passed = factories.RequirementFactory(template=gone, group="A", description="Pass the course")
    factories.RequirementFactory(template=gone)
    factories.PenaltyFactory(template=gone, description="Fail it", resets=[passed])
    on_the_way = factories.BadgeProgressFactory(template=gone)
    factories.FulfillmentFactory(progress=on_the_way, requirement=passed)
    fell_back = factories.BadgeProgressFactory(template=gone)
    factories.FulfillmentFactory(progress=fell_back, requirement=passed, is_fulfilled=False)
    done = factories.BadgeProgressFactory(template=gone)
    factories.FulfillmentFactory(progress=done, requirement=passed)
    factories.BadgeFactory(template=gone, user=done.user)
    answers.pages = [[listed("here")]]
    report, told = told_by(account)
    assert state_of(gone) == ("archived", False)
    assert (numbers(report), report.vanished) == ((1, 0, 0, 1), 1)
    assert str(told[-1]) == (
        '"Gone" is no longer at the provider: archived and deactivated. On it depend: 1 badge; 1 learner on the way '
        f'to it; requirement {PASSING}; requirement "Pass the course" ({PASSING}, group "A"); penalty "Fail it" '
        f"({PASSING})."
    )


def test_a_vanished_template_without_dependents_says_so(answers: Answers, account: models.CredlyOrganization) -> None:
    factories.CredlyBadgeTemplateFactory(account=account, name="Gone")
    answers.pages = [[listed("here")]]
    told = told_by(account)[1]
    assert str(told[-1]).endswith("archived and deactivated. Nothing depends on it.")


def test_what_vanished_before_is_not_told_again(answers: Answers, account: models.CredlyOrganization) -> None:
    factories.CredlyBadgeTemplateFactory(account=account, state="archived", is_active=False)
    answers.pages = [[listed("here")]]
    assert sync_templates(account).vanished == 0
    assert answers.looked_up == []


def test_a_template_that_moved_across_a_page_boundary_stays(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    moved = factories.CredlyBadgeTemplateFactory(account=account, external_id="moved")
    answers.pages = [[listed("deleted"), listed("a")], [listed("moved"), listed("b")], [listed("c")]]

    def delete_one(number: int) -> None:
        if number == 2:
            answers.pages = [[listed("a"), listed("moved")], [listed("b"), listed("c")]]

    answers.before_page = delete_one
    report = sync_templates(account)
    assert state_of(moved) == ("active", True)
    assert (report.vanished, report.kept) == (0, 1)
    assert str(report).endswith("1 template was not in the list, but the provider still has it; it stays as it is.")


def test_nothing_is_archived_while_the_list_is_incomplete(answers: Answers, account: models.CredlyOrganization) -> None:
    later = factories.CredlyBadgeTemplateFactory(account=account)
    answers.pages = [[listed("a")]]
    answers.list_error = ProviderUnavailable("The provider answered 503.")
    with pytest.raises(ProviderUnavailable):
        sync_templates(account)
    assert state_of(later) == ("active", True)
    assert models.BadgeTemplate.objects.filter(external_id="a").exists(), "the pages before stay stored"


def test_nothing_is_archived_that_the_provider_could_not_be_asked_for(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    gone, held, unknown = factories.CredlyBadgeTemplateFactory.create_batch(3, account=account)
    answers.pages = [[listed("a")]]
    answers.also_held = {held.external_id}

    def fail(external_id: str) -> None:
        if external_id == unknown.external_id:
            raise ProviderUnavailable("The provider answered 503.")

    answers.before_look_up = fail
    with pytest.raises(ProviderUnavailable):
        sync_templates(account)
    assert [state_of(one) for one in (gone, held, unknown)] == [
        ("archived", False),
        ("active", True),
        ("active", True),
    ]
    answers.before_look_up = lambda external_id: None
    answers.looked_up.clear()
    report = sync_templates(account)
    assert (answers.first_pages, answers.looked_up) == ([1, 2], [unknown.external_id])
    assert (report.vanished, state_of(unknown)) == (1, ("archived", False))


def test_a_template_that_the_provider_refuses_to_be_asked_for_stays_and_the_others_are_asked_for(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    odd = factories.CredlyBadgeTemplateFactory(account=account, external_id="..", name="Odd")
    gone = factories.CredlyBadgeTemplateFactory(account=account)
    answers.pages = [[listed("a")]]

    def refuse(external_id: str) -> None:
        if external_id == "..":
            raise ProviderRejected('".." is no identifier at Credly.')

    answers.before_look_up = refuse
    report, told = told_by(account)
    assert (report.kept, report.vanished) == (0, 1)
    assert (state_of(odd), state_of(gone)) == (("active", True), ("archived", False))
    assert [str(news) for news in told if isinstance(news, InDoubt)] == [
        '"Odd" was not in the list. It stays as it is, for the provider does not say more: ".." is no identifier at '
        "Credly."
    ]


def test_what_vanished_is_looked_for_some_at_a_time(answers: Answers, account: models.CredlyOrganization) -> None:
    factories.CredlyBadgeTemplateFactory.create_batch(CHUNK + 1, account=account)
    answers.pages = [[listed("a")]]
    report, told = told_by(account)
    assert report.vanished == len([news for news in told if isinstance(news, Vanished)]) == CHUNK + 1


def test_a_missing_template_that_staff_deletes_meanwhile_is_not_told(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, is_active=False)
    answers.pages = [[listed("a")]]
    answers.before_look_up = lambda external_id: template.delete() and None
    assert sync_templates(account).vanished == 0


def test_an_empty_answer_is_an_error_while_templates_are_known(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a")
    answers.pages = [[]]
    with pytest.raises(UnexpectedAnswer, match="lists no template at all"):
        sync_templates(account)
    assert (state_of(template), answers.looked_up) == (("active", True), [])
    answers.pages = [[listed("a")]]
    assert numbers(sync_templates(account)) == (0, 1, 0, 0)
    assert answers.first_pages == [1, 1], "there is nothing to go on with"


def test_an_empty_rest_of_a_resumed_list_is_no_empty_list(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed("a")]]
    answers.list_error = ProviderUnavailable("The provider answered 503.")
    with pytest.raises(ProviderUnavailable):
        sync_templates(account)
    answers.list_error = None
    assert numbers(sync_templates(account)) == (0, 0, 0, 0)
    assert answers.first_pages == [1, 2]


def test_an_empty_answer_is_believed_when_confirmed(answers: Answers, account: models.CredlyOrganization) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account)
    answers.pages = [[]]
    assert sync_templates(account, allow_empty=True).vanished == 1
    assert state_of(template) == ("archived", False)


def test_an_empty_answer_is_no_error_for_a_new_account(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[]]
    assert str(sync_templates(account)) == "Acme: 0 created, 0 updated, 0 unchanged, 0 archived."
