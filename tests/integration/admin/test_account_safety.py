"""An account's key: not in the report of an error, not put back, not dropped in silence."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.views.debug import ExceptionReporter

from badges.data import AccountInfo
from badges.models import CredlyOrganization, ProviderAccount
from tests.factories import CredlyOrganizationFactory
from tests.integration.admin.pages import url
from tests.integration.fake_provider import FakeProvider

pytestmark = pytest.mark.django_db


def test_a_key_that_is_typed_does_not_stand_in_the_report_of_an_error(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(CredlyOrganization, "save", fail)
    admin_client.raise_request_exception = False

    admin_client.post(
        url("credlyorganization", "add"), {"external_id": str(uuid.uuid4()), "name": "A", "new_key": "TYPED-SECRET"}
    )

    # What Django mails to the administrators is made of this record.
    [record] = [record for record in caplog.records if record.exc_info and record.name == "django.request"]
    assert record.exc_info
    kind, error, trace = record.exc_info
    report = ExceptionReporter(getattr(record, "request", None), kind, error, trace, is_email=True)
    assert "OperationalError" in report.get_traceback_text()
    assert "TYPED-SECRET" not in report.get_traceback_text()


def test_saving_a_form_does_not_put_back_a_key_that_was_replaced_meanwhile(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = CredlyOrganizationFactory(api_key="old")

    def replaced_meanwhile(self: FakeProvider) -> AccountInfo:
        other = ProviderAccount.objects.get(pk=account.pk)
        other.api_key = "new"
        other.save()
        return AccountInfo(name="Acme")

    monkeypatch.setattr(FakeProvider, "check_account", replaced_meanwhile)

    admin_client.post(
        url("credlyorganization", account.pk, "change"),
        {"external_id": account.external_id, "name": "Renamed", "new_key": ""},
    )

    saved = ProviderAccount.objects.get(pk=account.pk)
    assert (saved.name, saved.api_key) == ("Renamed", "new")


def test_a_new_key_is_not_dropped_in_silence_when_something_else_is_wrong(admin_client: Client) -> None:
    account = CredlyOrganizationFactory(api_key="old")

    page = admin_client.post(
        url("credlyorganization", account.pk, "change"), {"external_id": "nonsense", "name": "A", "new_key": "new"}
    )

    assert "Enter the key again" in page.content.decode()
    assert ProviderAccount.objects.get(pk=account.pk).api_key == "old"
