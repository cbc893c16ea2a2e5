"""A synchronization and a webhook tell of the same templates: the newer word stays, by the provider's clock."""

from __future__ import annotations

import pytest

from badges import models
from badges.changes import TemplateChange
from badges.webhooks.applying.templates import apply_template_change
from tests.factories import CredlyBadgeTemplateFactory, moment
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed, numbers, told_by

pytestmark = pytest.mark.django_db


def known() -> models.BadgeTemplate:
    return models.BadgeTemplate.objects.get(external_id="t1")


def test_the_time_of_a_change_is_kept(answers: Answers, account: models.CredlyOrganization) -> None:
    for at, name in ((1, "New"), (2, "New"), (3, "Newer")):
        answers.pages = [[listed("t1", name, changed_at=moment(at))]]
        told_by(account)
        assert (known().name, known().state_at) == (name, moment(at))


def test_a_webhook_that_is_older_than_the_synchronization_changes_nothing(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("t1", "New", changed_at=moment(5))]]
    told_by(account)
    assert apply_template_change(TemplateChange(listed("t1", "Old"), moment(4)), account) == ""
    assert known().name == "New"


def test_a_page_that_is_older_than_a_webhook_that_came_meanwhile_changes_nothing(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    CredlyBadgeTemplateFactory(account=account, external_id="t1", name="Old")
    answers.pages = [[listed("t1", "Older", changed_at=moment(4))]]
    answers.before_page = lambda number: (
        None if number > 1 else _apply(TemplateChange(listed("t1", "New"), moment(5)), account)
    )
    report, _ = told_by(account)
    assert (known().name, known().state_at) == ("New", moment(5))
    assert numbers(report) == (0, 0, 1, 0)


def test_a_synchronization_wins_over_a_webhook_that_came_before_it_was_begun(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    """The list is what is; that it names an older time may be the provider's rounding."""
    CredlyBadgeTemplateFactory(account=account, external_id="t1", name="Old")
    _apply(TemplateChange(listed("t1", "New"), moment(5)), account)
    answers.pages = [[listed("t1", "Newest", changed_at=moment(4.5))]]
    told_by(account)
    assert (known().name, known().state_at) == ("Newest", moment(5))


def _apply(change: TemplateChange, account: models.CredlyOrganization) -> None:
    assert apply_template_change(change, account)
