"""BadgeKit systems in the admin: their key, what they need where they only tell, and the secret of their webhook."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import responses
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django.views.debug import SafeExceptionReporterFilter

from badges import models
from badges.admin import badgekit_forms
from badges.data import Account
from badges.exceptions import BadgesError
from badges.issuing.reconcile import reconcile
from tests import factories
from tests.integration.admin.pages import act, errors, messages, submit, url
from tests.integration.fake_provider import config
from tests.integration.providers.helpers import BADGEKIT, BADGEKIT_API

KEY = "the-secret-of-an-api-key-of-the-system"
SECRET = "the-secret-of-badgekits-webhooks-table"


@pytest.fixture(autouse=True)
def mock(settings: Any, answers: Any) -> Iterator[Any]:
    settings.BADGES_CONFIG = config(badgekit={"BADGEKIT_API_BASE_URL": BADGEKIT_API})
    with responses.RequestsMock() as active:
        yield active


def answers_the_system(mock: Any) -> None:
    mock.get(BADGEKIT, json={"system": {"slug": "city", "name": "The City"}})


def add(client: Client, **values: Any) -> Any:
    return submit(client, url("badgekitsystem", "add"), external_id="city", **values)


def change(client: Client, system: Any, **values: Any) -> Any:
    return submit(client, url("badgekitsystem", system.pk, "change"), **values)


def test_a_system_is_checked_and_saved(admin_client: Client, mock: Any) -> None:
    answers_the_system(mock)
    page = add(admin_client, client_id="consumer", new_key=KEY)
    system = models.BadgeKitSystem.objects.get()
    assert system.as_data() == Account("badgekit", "The City", "city", KEY, "consumer")
    assert system.is_issuing
    assert 'which knows this account as "The City".' in " ".join(messages(page))


def test_a_system_that_issues_needs_a_key_and_a_slug(admin_client: Client) -> None:
    assert "Enter the key" in errors(add(admin_client, name="City"))
    page = submit(admin_client, url("badgekitsystem", "add"), name="City", new_key=KEY)
    assert "knows an account by an identifier" in errors(page)
    assert not models.ProviderAccount.objects.exists()


def test_a_system_that_only_tells_needs_no_key_and_is_not_asked(admin_client: Client, settings: Any) -> None:
    settings.BADGES_CONFIG = config()
    page = submit(
        admin_client, url("badgekitsystem", "add"), without=("is_issuing",), external_id="city", name="The City"
    )
    system = models.BadgeKitSystem.objects.get()
    assert (system.name, system.is_issuing, system.api_key) == ("The City", False, "")
    assert len(str(system.webhook_secret)) > 40
    assert page.status_code == 200


def test_a_system_that_is_not_asked_needs_a_name(admin_client: Client) -> None:
    page = submit(admin_client, url("badgekitsystem", "add"), without=("is_issuing",), external_id="city")
    assert "without a key" in errors(page)


def test_a_system_that_is_to_issue_from_now_on_needs_a_key(admin_client: Client) -> None:
    system = factories.BadgeKitSystemFactory(external_id="city", api_key="", is_issuing=False)
    assert "has no API key" in errors(change(admin_client, system, is_issuing="on"))
    system.refresh_from_db()
    assert not system.is_issuing


def test_the_same_system_twice_is_refused(admin_client: Client) -> None:
    factories.BadgeKitSystemFactory(external_id="city")
    assert "There is an account with this identifier already." in errors(add(admin_client, name="City", new_key=KEY))


# The secret of the webhook.
def test_a_secret_that_badgekits_operator_has_chosen_is_taken(admin_client: Client, mock: Any) -> None:
    answers_the_system(mock)
    add(admin_client, new_key=KEY, own_webhook_secret=SECRET)
    assert models.BadgeKitSystem.objects.get().webhook_secrets(timezone.now()) == [SECRET]


def test_a_new_secret_leaves_the_former_one_valid_for_a_while(admin_client: Client, mock: Any) -> None:
    answers_the_system(mock)
    system = factories.BadgeKitSystemFactory(external_id="city")
    former = str(system.webhook_secret)
    change(admin_client, system, own_webhook_secret=SECRET)
    system.refresh_from_db()
    assert system.webhook_secrets(timezone.now()) == [SECRET, former]


def test_left_empty_the_stored_secret_stays(admin_client: Client, mock: Any) -> None:
    answers_the_system(mock)
    system = factories.BadgeKitSystemFactory(external_id="city")
    former = str(system.webhook_secret)
    change(admin_client, system, name="Renamed", client_id="other")
    system.refresh_from_db()
    assert (system.name, system.client_id) == ("Renamed", "other")
    assert system.webhook_secrets(timezone.now()) == [former]


def test_a_secret_that_cannot_be_decrypted_any_more_is_replaced(admin_client: Client, mock: Any, settings: Any) -> None:
    answers_the_system(mock)
    system = factories.BadgeKitSystemFactory(external_id="city")
    settings.BADGES_ENCRYPTION_KEYS = ["another"]
    change(admin_client, system, own_webhook_secret=SECRET, new_key=KEY)
    found = models.BadgeKitSystem.objects.get()
    assert found.webhook_secrets(timezone.now()) == [SECRET]


def test_the_typed_secrets_are_never_sent_back(admin_client: Client) -> None:
    page = submit(
        admin_client, url("badgekitsystem", "add"), external_id="", name="x", new_key=KEY, own_webhook_secret=SECRET
    )
    assert errors(page)
    assert SECRET not in page.content.decode()
    assert KEY not in page.content.decode()


def test_neither_secret_is_in_the_report_of_an_error(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:

    def fails(self: Any) -> Any:
        raise BadgesError("broken")

    monkeypatch.setattr(badgekit_forms.BadgeKitSystemForm, "clean", fails)
    admin_client.raise_request_exception = False
    answer: Any = admin_client.post(
        url("badgekitsystem", "add"), {"external_id": "city", "new_key": KEY, "own_webhook_secret": SECRET}
    )
    assert answer.status_code == 500
    shown = SafeExceptionReporterFilter().get_post_parameters(answer.wsgi_request)
    assert SECRET not in str(shown)
    assert KEY not in str(shown)


# Its badges.
def test_its_badges_are_synchronized_and_shown(admin_client: Client, mock: Any) -> None:
    system = factories.BadgeKitSystemFactory(external_id="city")
    mock.get(f"{BADGEKIT}/badges", json={"badges": [{"slug": "explorer", "name": "Explorer"}]})
    page = act(admin_client, "badgekitsystem", "sync_badges", system)
    assert page.status_code == 200
    template = models.BadgeKitTemplate.objects.get()
    assert (template.name, template.external_id, template.origin) == ("Explorer", "explorer", "badgekit")
    assert "Explorer" in admin_client.get(url("badgekittemplate")).content.decode()
    assert admin_client.get(url("badgekittemplate", "add")).status_code == 403
    assert admin_client.get(url("badgekittemplate", template.pk, "change")).status_code == 200


@pytest.mark.parametrize("given", ["external_id", "pk"])
def test_the_command_synchronizes_one_system(mock: Any, given: str, db: None) -> None:
    system = factories.BadgeKitSystemFactory(external_id="city")
    factories.BadgeKitSystemFactory()
    mock.get(f"{BADGEKIT}/badges", json={"badges": [{"slug": "explorer", "name": "Explorer"}]})
    out = StringIO()
    call_command("sync_badgekit_badges", "--system_id", str(getattr(system, given)), stdout=out, stderr=out)
    assert models.BadgeKitTemplate.objects.get().account_id == system.pk
    assert "1 created" in out.getvalue()


def test_the_command_leaves_out_a_system_that_cannot_be_asked(db: None) -> None:
    factories.BadgeKitSystemFactory(external_id="city", name="City", api_key="", is_issuing=False)
    out = StringIO()
    call_command("sync_badgekit_badges", stdout=out, stderr=out)
    assert out.getvalue() == "City: it has no key and cannot be asked. Its badges come with its messages.\n"


def test_so_does_a_reconciliation(db: None) -> None:
    system = factories.BadgeKitSystemFactory(external_id="city", api_key="", is_issuing=False)
    report = reconcile(system)
    assert "cannot be asked" in report.skipped
    assert (report.problems, report.broken_off) == (0, "")
