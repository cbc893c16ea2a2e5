"""An OAuth client's id is entered beside its secret, where the provider takes one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import responses
from django.test import Client
from pytest_django import Settings

from badges import models
from badges.providers import oauth
from tests import factories
from tests.integration.admin.pages import errors, submit, url
from tests.integration.fake_provider import config

UUID = "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"
ORGANIZATION = f"https://api.credly.com/v1/organizations/{UUID}"
TOKEN = "https://www.credly.com/oauth/token"
SECRET = "s3cret-of-the-client"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mock(settings: Settings) -> Iterator[Any]:
    # Credly's own class, not the one that tests of other screens put in its place.
    settings.BADGES_CONFIG = {}
    oauth.tokens.clear()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        active.get(ORGANIZATION, json={"data": {"id": UUID, "name": "Academy"}})
        active.post(TOKEN, json={"access_token": "t0ken", "expires_in": 60})
        yield active
    oauth.tokens.clear()


def test_an_organization_is_checked_with_its_clients_credentials(admin_client: Client, mock: Any) -> None:
    submit(admin_client, url("credlyorganization", "add"), external_id=UUID, client_id=" our-client ", new_key=SECRET)
    stored = models.CredlyOrganization.objects.get()
    assert (stored.client_id, stored.api_key, stored.name) == ("our-client", SECRET, "Academy")
    assert "client_id=our-client" in mock.calls[0].request.body


def test_without_a_client_id_the_key_is_a_token(admin_client: Client, mock: Any) -> None:
    submit(admin_client, url("credlyorganization", "add"), external_id=UUID, new_key="token")
    assert models.CredlyOrganization.objects.get().client_id == ""
    assert [call.request.url for call in mock.calls] == [ORGANIZATION]


def test_a_refused_client_is_an_error_and_saves_nothing(admin_client: Client, mock: Any) -> None:
    mock.replace("POST", TOKEN, status=401, json={"error": "invalid_client"})
    page = submit(
        admin_client, url("credlyorganization", "add"), external_id=UUID, client_id="our-client", new_key=SECRET
    )
    assert "invalid_client" in errors(page)
    assert SECRET not in page.content.decode()
    assert not models.ProviderAccount.objects.exists()


def test_a_client_id_is_changed_and_the_secret_stays(admin_client: Client) -> None:
    organization = factories.CredlyOrganizationFactory(external_id=UUID, api_key=SECRET)
    submit(admin_client, url("credlyorganization", organization.pk, "change"), client_id="our-client")
    organization.refresh_from_db()
    assert (organization.client_id, organization.api_key) == ("our-client", SECRET)


def test_what_a_client_id_means_is_said(admin_client: Client) -> None:
    page = admin_client.get(url("credlyorganization", "add")).content.decode()
    assert "the API key is then the client's secret" in page


@pytest.mark.parametrize("screen", ["accredibleapiconfig", "provideraccount"])
def test_other_screens_do_not_ask_for_one(admin_client: Client, screen: str) -> None:
    assert "client_id" not in admin_client.get(url(screen, "add")).context["adminform"].form.fields


def test_nor_does_a_provider_that_takes_none(admin_client: Client, settings: Settings) -> None:
    settings.BADGES_CONFIG = config()
    assert "client_id" not in admin_client.get(url("credlyorganization", "add")).context["adminform"].form.fields


def test_a_key_from_the_settings_needs_none(admin_client: Client, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"credly": {"ORGANIZATIONS": {UUID: "token"}}}
    organization = factories.CredlyOrganizationFactory(external_id=UUID)
    page = admin_client.get(url("credlyorganization", organization.pk, "change"))
    assert page.context["adminform"].form.fields["client_id"].disabled
