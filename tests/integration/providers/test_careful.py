"""Answers that repeat what is private, contradict themselves, or ask for the impossible."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
import responses
from attrs import evolve

from badges.data import Award
from badges.exceptions import ProviderError, ProviderUnavailable, UnexpectedAnswer
from tests.integration.providers.helpers import AWARD, CREDLY, credly

PEOPLE = [
    evolve(AWARD, name="Anna Maria Lee"),
    evolve(AWARD, name="J\u00f6rg M\u00fcller"),
    evolve(AWARD, name="\u674e\u5a1c"),
]


@pytest.mark.parametrize("award", PEOPLE, ids=lambda award: award.name)
@pytest.mark.parametrize("call", ["issue", "revoke", "find_issued"])
@responses.activate
def test_no_error_repeats_the_learners_name_whole_or_split(award: Award, call: str) -> None:
    words = {award.name, award.first_name, award.last_name}
    escaped = json.dumps(award.name)[1:-1]
    shown = (award.name, award.first_name, award.last_name, escaped)
    answer = '{"data": {"id": "12", "shown": ["' + '", "'.join(shown)
    for method in (responses.GET, responses.POST, responses.PUT):
        responses.add(method, re.compile(f"{CREDLY}/.*"), body=answer)
    calls: dict[str, Any] = {
        "issue": lambda: credly().issue(award),
        "revoke": lambda: credly().revoke("b1", award=award, reason="x"),
        "find_issued": lambda: credly().find_issued(award),
    }

    with pytest.raises(ProviderError) as error:
        calls[call]()

    assert not [word for word in words if word in str(error.value)]
    assert "\\u" not in str(error.value)


@pytest.mark.parametrize(
    "header", ["1 Jan 99999999999999999999 00:00:00 +0000", "Mon, 01 Jan 2026 99:00:00 +9999999999999"]
)
@responses.activate
def test_a_wait_that_no_calendar_knows_is_no_wait(header: str) -> None:
    responses.get(CREDLY, status=503, headers={"Retry-After": header})

    with pytest.raises(ProviderUnavailable) as error:
        credly().check_account()
    assert error.value.retry_after is None


def test_no_log_line_of_the_http_library_holds_a_learners_address(caplog: pytest.LogCaptureFixture) -> None:
    credly()
    logger = logging.getLogger("urllib3.connectionpool")

    with caplog.at_level(logging.DEBUG, logger.name):
        logger.warning("Failed to parse headers (url=%s): %s", "https://x/?filter=email%3A%3Aanna%40example.com", "bad")
        logger.debug('"GET /badges?recipient_email::anna@example.com HTTP/1.1" 200')

    assert len(caplog.records) == 2
    assert "anna" not in caplog.text


@responses.activate
def test_an_answer_about_another_organization_does_not_pass_the_check() -> None:
    responses.get(CREDLY, json={"data": {"id": "another-organization", "name": "Other"}})

    with pytest.raises(UnexpectedAnswer, match="organization asked for"):
        credly().check_account()


@responses.activate
def test_a_list_that_contradicts_itself_about_its_end_is_not_complete() -> None:
    metadata = {"total_pages": 1, "next_page_url": f"{CREDLY}/badge_templates?page=2"}
    responses.get(f"{CREDLY}/badge_templates", json={"data": [{"id": "t1", "name": "One"}], "metadata": metadata})

    with pytest.raises(UnexpectedAnswer, match="contradicts itself"):
        list(credly().templates())
