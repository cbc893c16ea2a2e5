"""Two synchronizations of one account that really race. Only databases whose threads do are asked."""

from __future__ import annotations

import pytest
from django.db import connection

from badges import models
from badges.issuing.sync.position import Overtaken
from badges.issuing.sync.run import sync_templates
from tests import factories
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed
from tests.integration.test_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]


@pytest.mark.parametrize("restart", [False, True])
def test_of_two_at_once_one_comes_to_its_end_and_none_takes_a_template_from_the_other(
    answers: Answers, restart: bool
) -> None:
    account = factories.CredlyOrganizationFactory()
    for row in range(10):
        factories.CredlyBadgeTemplateFactory(account=account, external_id=f"4-{row}")
    factories.CredlyBadgeTemplateFactory(account=account, external_id="gone")
    answers.pages = [[listed(f"{page}-{row}") for row in range(10)] for page in range(5)]

    def run() -> str:
        try:
            sync_templates(account, restart=restart)
        except Overtaken:
            return "overtaken"
        return "done"

    ends = at_once(run, run, run)

    assert "done" in ends
    assert models.BadgeTemplate.objects.filter(state="active").count() == 50
    assert models.BadgeTemplate.objects.filter(is_active=True).count() == 10
    assert models.BadgeTemplate.objects.get(external_id="gone").state == "archived"
