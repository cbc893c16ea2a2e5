"""Whatever anybody posts to any address: never a 500, and never a row without a right to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badges.models import ProviderAccount, WebhookEvent
from badges.providers.registry import provider_class, registered
from tests.integration.webhooks.contract_base import GENEROUS
from tests.integration.webhooks.scripted import CONFIG
from tests.integration.webhooks.sending import encoded, post

pytestmark = pytest.mark.django_db
often = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
KEYS = (
    *("id", "event_type", "organization_id", "occurred_at", "type", "at", "account", "shelf", "kind", "action", "uid"),
    *("application", "review", "badge", "slug", "email", "learner", "created", "issuedOn", "reviewItems", "approved"),
)
ACME = "3f0a5a52-4a4f-4a43-9f8b-0b5b7d7b4f10"
WORDS = st.sampled_from(
    [
        ACME,
        ACME.upper(),
        "badge.created",
        "award",
        "revoke",
        "review",
        "2026-01-01T00:00:00Z",
        "x@example.com",
        "\x00",
        "\ud800",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    WORDS,
    st.just(10**400),
    st.just("x" * 3000),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), inner, max_size=5),
    ),
    max_leaves=20,
)
MESSAGES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12)
BODIES = st.one_of(st.binary(max_size=300), VALUES.map(encoded), MESSAGES.map(encoded))


@pytest.fixture
def accounts(settings: Any) -> dict[str, ProviderAccount]:
    """An account of every provider that calls back, all with the same identifier."""
    cache.clear()
    settings.BADGES_CONFIG = {**CONFIG, "webhooks": GENEROUS}
    return {
        slug: ProviderAccount.objects.create(provider=slug, name=slug, external_id=ACME)
        for slug in registered()
        if provider_class(slug).webhooks is not None
    }


def paths_of(account: ProviderAccount, secret: str) -> list[str]:
    """All addresses of an account, with this secret where they carry one."""
    return [
        reverse("badges:webhook", args=[account.provider]),
        reverse("badges:webhook-account", args=[account.provider, account.pk]),
        reverse("badges:webhook-secret", args=[account.provider, account.pk, secret]),
    ]


@often
@given(body=BODIES)
def test_any_body_from_a_stranger(accounts: dict[str, ProviderAccount], body: bytes) -> None:
    for account in accounts.values():
        before = WebhookEvent.objects.filter(is_proven=True).count()
        for path in paths_of(account, "a-guess"):
            response = post(path, body, {"Authorization": 'JWT token="e30.e30.e30"'})
            assert response.status_code in (200, 400, 403, 404)
            if response.status_code != 200:
                continue
            # Let in on trial: the provider will be asked, and nobody has proved anything.
            webhooks = provider_class(account.provider).webhooks
            assert webhooks is not None
            assert webhooks.is_confirmed_by_provider
            assert path == reverse("badges:webhook", args=[account.provider])
        assert WebhookEvent.objects.filter(is_proven=True).count() == before


@often
@given(body=BODIES)
def test_any_body_with_the_secret(accounts: dict[str, ProviderAccount], body: bytes) -> None:
    for account in accounts.values():
        number = WebhookEvent.objects.count()
        for path in paths_of(account, str(account.webhook_secret)):
            response = post(path, body)
            assert response.status_code in (200, 400, 403, 404)
            assert WebhookEvent.objects.count() == number or response.status_code == 200
            number = WebhookEvent.objects.count()


@often
@given(token=st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))))
def test_any_signature(accounts: dict[str, ProviderAccount], token: str) -> None:
    for account in accounts.values():
        path = reverse("badges:webhook-account", args=[account.provider, account.pk])
        for header in (token, f'JWT token="{token}"', f"Bearer {token}"):
            assert post(path, b"{}", {"Authorization": header}).status_code in (400, 403, 404)
    assert not WebhookEvent.objects.exists()
