"""``manage.py reconcile_badges``: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, InterfaceError, OperationalError, connection
from django.utils import timezone

from badges.exceptions import ProviderUnavailable
from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate, ProviderAccount
from tests.factories import BadgeFactory, BadgeTemplateFactory, UserFactory, moment
from tests.integration.issuing.reconcile.listing import ListingProvider

pytestmark = pytest.mark.django_db


@pytest.fixture
def badge(template: BadgeTemplate) -> Badge:
    """A badge that was issued."""
    learner = UserFactory(username="anna", email="anna@example.com", full_name="Anna Lee")
    [badge] = awards.award(learner, {template.pk: moment(5)})
    run_due(badge.pk)
    badge.refresh_from_db()
    return badge


class Ran:
    """A run of the command, to its end."""

    def __init__(self, *arguments: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.code, self.complaint = 0, ""
        try:
            call_command("reconcile_badges", *arguments, stdout=out, stderr=err)
        except CommandError as error:
            self.code, self.complaint = error.returncode, str(error)
        self.out, self.err = out.getvalue(), err.getvalue()


def test_where_both_sides_agree_it_says_so_and_ends_with_0(badge: Badge) -> None:
    ran = Ran()

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        'scripted account "Scripted": 1 badge listed there, no differences.',
        "In all: no differences. Nothing was changed.",
    ]


def test_a_difference_is_a_line_and_without_apply_it_ends_with_3(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "revoked")

    ran = Ran()

    assert (ran.code, ran.complaint) == (3, "1 difference. --apply settles it.")
    assert ran.out.splitlines()[0] == (
        f'badge {badge.uuid}, template "{badge.template.name}", user {badge.user_id}: awarded here, revoked at the '
        'provider ("pending" here, "revoked" there).'
    )


def test_with_apply_it_tells_what_was_done_and_ends_with_0(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "revoked")

    ran = Ran("--apply")

    assert ran.code == 0
    assert ran.out.splitlines()[0].endswith('("pending" here, "revoked" there): revoked here and announced.')
    assert ran.out.splitlines()[-1] == (
        "In all: 1 difference (1 revoked_there); 1 settled, 0 changed meanwhile, 0 not settled."
    )
    assert Ran().code == 0


@pytest.mark.parametrize("format_", ["text", "json"])
def test_no_output_names_a_learner_or_a_key(badge: Badge, format_: str) -> None:
    ListingProvider.put(badge.external_id, "accepted")
    ListingProvider.hold(template_external_id=badge.template.external_id, email=UserFactory(username="bo").email)
    BadgeFactory(template=badge.template, user__username="cy")
    ListingProvider.fails_after[5] = ProviderUnavailable("Down.")

    for arguments in ([], ["--apply"]):
        ran = Ran("--format", format_, *arguments)
        printed = f"{ran.out}{ran.err}{ran.complaint}"
        assert "adopted" in printed or "--apply" in printed or "applied" in printed
        for secret in ("anna", "Anna", "bo@", "cy@", "example.com", "very-secret-key"):
            assert secret not in printed


def test_json_is_one_document(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "accepted")
    ListingProvider.hold(template_external_id=badge.template.external_id, email=UserFactory().email)
    ListingProvider.hold(template_external_id="other", email=badge.user.email)

    ran = Ran("--format", "json")

    document = json.loads(ran.out)
    assert ran.code == 3
    account = badge.template.account_id
    assert document["differences"][0] == {
        "difference": "different_state",
        "outcome": "found",
        "provider": "scripted",
        "account": account,
        "badge": str(badge.uuid),
        "template": badge.template.name,
        "user": badge.user_id,
        "state_here": "pending",
        "state_there": "accepted",
        "external_id": badge.external_id,
    }
    assert document["accounts"][0]["belonging_to_nobody_here"] == 1
    assert document["totals"] == {"applied": False, "differences": 2, "problems": 0, "accounts_broken_off": 0}


def test_json_tells_its_version_and_when_the_run_began(template: BadgeTemplate) -> None:
    before = timezone.now().replace(microsecond=0)

    document = json.loads(Ran("--format", "json").out)

    at = datetime.fromisoformat(document["at"])
    assert document["version"] == 1
    assert at.utcoffset() == timedelta(0)
    assert before <= at <= timezone.now()


def test_json_tells_why_an_account_could_not_be_compared(template: BadgeTemplate) -> None:
    ListingProvider.fails_after[0] = ProviderUnavailable("The provider is down.")

    document = json.loads(Ran("--format", "json").out)

    assert document["accounts"][0]["broken_off"] == "The provider is down."
    assert document["totals"]["accounts_broken_off"] == 1


def test_every_key_of_the_json_is_documented(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "accepted")
    document = json.loads(Ran("--format", "json").out)
    page = (Path(__file__).parents[4] / "docs" / "reconcile.rst").read_text()

    nested = [document["differences"][0], document["accounts"][0], document["totals"]]
    keys = {"version", "at", "differences[]", "accounts[]", "totals"} | {f".{key}" for part in nested for key in part}
    assert set(document) == {"version", "at", "differences", "accounts", "totals"}
    assert {key for key in keys if f"``{key}``" not in page} == set()


def test_json_without_differences_is_a_document_too(template: BadgeTemplate) -> None:
    assert json.loads(Ran("--format", "json").out)["differences"] == []


def test_badges_of_nobody_here_are_counted(template: BadgeTemplate) -> None:
    ListingProvider.hold(template_external_id="other", email="anna@example.com")

    ran = Ran()

    assert "  1 badge there belongs to no learner or template here." in ran.out
    assert ran.code == 0


def test_a_provider_that_fails_does_not_keep_the_others_from_being_compared(badge: Badge) -> None:
    second = ProviderAccount.objects.create(provider="gone", name="Second", api_key="k", external_id="2")
    ListingProvider.put(badge.external_id, "accepted")
    ListingProvider.fails_after[1] = ProviderUnavailable("The provider is down.")

    ran = Ran()

    assert ran.code == 1
    assert "provider says something else than is written down here" in ran.out
    assert 'scripted account "Scripted": The comparison ended before its end: The provider is down.' in ran.err
    assert f'{second.provider} account "Second": The comparison ended before its end' in ran.err


def test_an_account_that_could_not_be_read_is_not_said_to_agree(template: BadgeTemplate) -> None:
    ListingProvider.fails_after[0] = ProviderUnavailable("The provider is down.")

    ran = Ran()

    assert ran.out.splitlines() == [
        'scripted account "Scripted": could not be compared. The provider is down.',
        "In what was compared: no differences. Nothing was changed.",
        "1 of 1 account could not be compared, whole or to the end.",
    ]
    assert ran.complaint == "Not everything could be compared or settled: 1 problem, see above."


def test_an_account_that_was_read_in_part_tells_how_far(badge: Badge) -> None:
    ProviderAccount.objects.create(provider="scripted", name="Second", api_key="k", external_id="2")
    ListingProvider.fails_after[1] = ProviderUnavailable("The provider is down.")

    lines = Ran("--apply").out.splitlines()

    assert lines[0] == (
        'scripted account "Scripted": could not be compared to the end. The provider is down. Until then: 1 badge '
        "listed there, no differences."
    )
    assert lines[-2].startswith("In what was compared: no differences; 0 settled")
    assert lines[-1] == "2 of 2 accounts could not be compared, whole or to the end."


def test_a_long_reason_is_short_in_the_report_and_whole_on_stderr(template: BadgeTemplate) -> None:
    reason = "The provider is down. " + "More of it. " * 50 + "The end."
    ListingProvider.fails_after[0] = ProviderUnavailable(reason)

    ran = Ran()

    assert len(ran.out.splitlines()[0]) < 230
    assert reason in ran.err


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_look_warns_that_issuing_again_may_mail_the_learner(badge: Badge, format_: str) -> None:
    ListingProvider.rows.clear()

    assert Ran("--format", format_).err == (
        "--apply issues again what is missing at the provider (1 badge), and the provider may mail the learner.\n"
    )


def test_only_what_is_missing_there_is_warned_of_and_only_before_it_is_done(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "accepted")
    assert "mail" not in Ran().err
    ListingProvider.rows.clear()

    ran = Ran("--apply")

    assert "mail" not in ran.err
    assert ran.out.splitlines()[0].endswith("missing at the provider: its issue is set going.")


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_cannot_be_used_ends_it_with_a_sentence(template: BadgeTemplate, error: type[Error]) -> None:
    def away(*_: Any) -> None:
        raise error("could not connect as secret-user")

    with connection.execute_wrapper(away):
        ran = Ran("--format", "json")

    assert ran.code == 1
    assert ran.complaint.startswith(f"The database cannot be used ({error.__name__}). ")
    assert "secret-user" not in ran.complaint
    assert ran.out == ""


def test_a_provider_that_lists_nothing_is_left_out_with_a_sentence(badge: Badge, settings: Any) -> None:
    settings.BADGES_CONFIG = {"providers": {"scripted": "tests.integration.issuing.scripted.ScriptedProvider"}}

    ran = Ran()

    assert ran.code == 0
    assert 'scripted account "Scripted": left out. Scripted does not list the badges that it holds.' in ran.out


def test_without_accounts_it_says_so(db: None) -> None:
    assert Ran().out == "There is no provider account yet. Add one in the admin.\n"


@pytest.mark.parametrize("by", ["pk", "external_id"])
def test_one_account_can_be_named(badge: Badge, by: str) -> None:
    other = ProviderAccount.objects.create(provider="scripted", name="Other", api_key="k", external_id="Org-2")
    BadgeFactory(template=BadgeTemplateFactory(account=other, external_id="t2"))

    ran = Ran("--account", str(other.pk) if by == "pk" else "org-2")

    assert 'account "Scripted"' not in ran.out
    assert "1 missing_there" in ran.out


def test_one_provider_can_be_named(badge: Badge) -> None:
    ran = Ran("--provider", "credly")

    assert 'account "Scripted"' not in ran.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--provider", "nope"], 'There is no provider "nope". Known: accredible, badgekit, credly, scripted.'),
        (["--account", "77"], "There is no account 77. Known: "),
        (["--since", "yesterday"], "neither a time like 2026-11-01 nor a number of days"),
        (["--since", "0d"], "neither a time like"),
        (["--since", "99999999d"], "neither a time like"),
        (["--since", "2199-01-01"], "is in the future"),
        (["--since", "99999d"], "is too long ago"),
    ],
)
def test_arguments_that_cannot_be_used_end_it_with_a_sentence(
    template: BadgeTemplate, arguments: list[str], complaint: str
) -> None:
    assert complaint in Ran(*arguments).complaint
    assert ListingProvider.calls == []


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T08:00:00+02:00", datetime(2026, 1, 1, 6, tzinfo=UTC)),
    ],
)
def test_since_is_a_time(template: BadgeTemplate, text: str, since: datetime) -> None:
    Ran("--since", text)

    assert ListingProvider.asked_since == [since]


def test_since_is_a_number_of_days(template: BadgeTemplate) -> None:
    Ran("--since", "30d")

    [since] = ListingProvider.asked_since
    assert since is not None
    assert timedelta(days=30) <= timezone.now() - since < timedelta(days=30, minutes=1)


def test_nothing_is_applied_while_the_app_is_switched_off(badge: Badge, settings: Any) -> None:
    settings.BADGES_ENABLED = False
    ListingProvider.put(badge.external_id, "accepted")

    assert "BADGES_ENABLED is off" in Ran("--apply").complaint
    assert Ran().code == 3
    assert Badge.objects.get().state == "pending"
