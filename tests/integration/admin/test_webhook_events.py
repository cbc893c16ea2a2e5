"""The inbox's screens: what came, what came of it, and what staff do about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from badges.models import ProviderAccount, ProviderBadge, WebhookEvent
from tests.factories import BadgeFactory, CredlyBadgeTemplateFactory, CredlyOrganizationFactory, UserFactory
from tests.integration.fake_provider import Answers

pytestmark = pytest.mark.django_db
Status = WebhookEvent.Status
EVENT_ID = "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"


def event(**values: Any) -> WebhookEvent:
    """An event in the inbox."""
    status = values.get("status", Status.RECEIVED)
    made = {
        "account": CredlyOrganizationFactory(),
        "event_id": EVENT_ID,
        "event_type": "badge.created",
        "body": json.dumps({"id": EVENT_ID}),
        "finished_at": None if status in WebhookEvent.OPEN else timezone.now(),
    }
    return WebhookEvent.objects.create(**{**made, **values})


def url(page: str, *arguments: Any) -> str:
    """The address of a page of the inbox."""
    return reverse(f"admin:badges_webhookevent_{page}", args=arguments)


def client_of(*permissions: str) -> Client:
    """A member of staff with these permissions."""
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    """What a page says."""
    return str(response.content.decode())


def test_the_list_shows_what_came_of_each(admin_client: Client) -> None:
    event(status=Status.DEAD, last_error="Credly did not answer.")

    page = text_of(admin_client.get(url("changelist")))

    assert "badge.created" in page
    assert "Credly did not answer." in page


def test_a_whole_event_id_finds_it(admin_client: Client) -> None:
    wanted = event()
    event(event_id="another")

    page = admin_client.get(url("changelist"), {"q": EVENT_ID.upper()})

    assert list(page.context["cl"].result_list) == [wanted]


def test_the_list_costs_the_same_for_one_and_for_many(admin_client: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        event(event_id=str(number))
    with django_assert_max_num_queries(10):
        admin_client.get(url("changelist"))


def test_addresses_and_names_of_learners_are_masked(admin_client: Client) -> None:
    body = {"email": "anna@example.com", "application": {"learner": "anna@example.com"}, "slug": "shown"}
    page = text_of(admin_client.get(url("change", event(body=json.dumps(body)).pk)))

    assert "anna@example.com" not in page
    assert "shown" in page


def test_a_body_that_is_no_json_is_shown_as_it_is_and_escaped(admin_client: Client) -> None:
    page = text_of(admin_client.get(url("change", event(body="<script>").pk)))

    assert "&lt;script&gt;" in page


def test_a_body_that_is_nested_too_deeply_does_not_break_the_page(admin_client: Client) -> None:
    deep = f'{{"id": {"[" * 900}{"]" * 900}}}'

    assert "nested too deeply" in text_of(admin_client.get(url("change", event(body=deep).pk)))


class TestReplay:
    """A finished event is processed again."""

    def test_from_its_page(self, admin_client: Client) -> None:
        dead = event(status=Status.DEAD)

        admin_client.post(url("replay", dead.pk))

        dead.refresh_from_db()
        assert dead.status == Status.RECEIVED
        assert LogEntry.objects.filter(object_id=str(dead.pk)).exists()

    def test_from_the_list(self, admin_client: Client) -> None:
        dead = event(status=Status.DEAD)

        admin_client.post(url("changelist"), {"action": "replay", "_selected_action": [dead.pk]})

        dead.refresh_from_db()
        assert dead.status == Status.RECEIVED

    def test_by_a_link_changes_nothing(self, admin_client: Client) -> None:
        dead = event(status=Status.DEAD)

        assert admin_client.get(url("replay", dead.pk)).status_code == 405


class TestDiscard:
    """An event that is not wanted is ended, with a reason."""

    def test_with_a_reason(self, admin_client: Client) -> None:
        dead = event(status=Status.DEAD)
        page = admin_client.get(url("discard", dead.pk))
        assert "badge.created" in text_of(page)

        admin_client.post(url("discard", dead.pk), {"ids": str(dead.pk), "reason": "A test of ours."})

        dead.refresh_from_db()
        assert (dead.status, dead.note) == (Status.DISCARDED, "A test of ours.")

    def test_not_without_one(self, admin_client: Client) -> None:
        dead = event(status=Status.DEAD)

        page = admin_client.post(url("discard", dead.pk), {"ids": str(dead.pk), "reason": " "})

        dead.refresh_from_db()
        assert "Enter a reason" in text_of(page)
        assert dead.status == Status.DEAD

    def test_what_is_done_is_left_alone(self, admin_client: Client) -> None:
        done = event(status=Status.PROCESSED)

        admin_client.post(url("discard", done.pk), {"ids": str(done.pk), "reason": "No."})

        done.refresh_from_db()
        assert done.status == Status.PROCESSED


def test_who_may_only_look_can_change_nothing() -> None:
    dead = event(status=Status.DEAD)
    client = client_of("view_webhookevent")

    assert "Process again" not in text_of(client.get(url("change", dead.pk)))
    assert client.post(url("replay", dead.pk)).status_code == 403
    assert client.post(url("discard", dead.pk), {"reason": "x"}).status_code == 403


class TestAddress:
    """The address to enter at the provider, on the account's page."""

    @pytest.fixture(autouse=True)
    def credly(self, answers: Answers, settings: Any) -> None:
        """The real provider: the fake one has no webhooks."""
        settings.BADGES_CONFIG = {}

    def page(self, client: Client, account: ProviderAccount) -> str:
        """The page of an organization."""
        return text_of(client.get(reverse("admin:badges_credlyorganization_change", args=[account.pk])))

    def test_is_shown_with_its_secret_and_a_button_that_copies_it(self, admin_client: Client) -> None:
        account = CredlyOrganizationFactory()

        page = self.page(admin_client, account)

        address = f"http://testserver/badges/credly/webhook/{account.pk}/{account.webhook_secret}/"
        assert f'data-badges-copy="{address}"' in page

    def test_stands_at_the_public_url(self, admin_client: Client, settings: Any) -> None:
        settings.BADGES_CONFIG = {"public_url": "https://credentials.example.org"}

        assert "https://credentials.example.org/badges/credly/webhook/" in self.page(
            admin_client, CredlyOrganizationFactory()
        )

    def test_is_not_shown_to_who_may_only_look(self) -> None:
        account = CredlyOrganizationFactory()

        page = self.page(client_of("view_credlyorganization"), account)

        assert str(account.webhook_secret) not in page

    def test_a_new_secret_leaves_the_former_one_valid_for_a_while(self, admin_client: Client) -> None:
        account = CredlyOrganizationFactory()
        former = str(account.webhook_secret)

        admin_client.post(reverse("admin:badges_credlyorganization_new_webhook_secret", args=[account.pk]))

        changed = ProviderAccount.objects.get(pk=account.pk)
        assert str(changed.webhook_secret) != former
        assert changed.webhook_secrets(timezone.now()) == [str(changed.webhook_secret), former]

    def test_the_former_secret_can_be_ended(self, admin_client: Client) -> None:
        account = CredlyOrganizationFactory()
        for button in ("new_webhook_secret", "end_former_secret"):
            admin_client.post(reverse(f"admin:badges_credlyorganization_{button}", args=[account.pk]))

        changed = ProviderAccount.objects.get(pk=account.pk)
        assert changed.webhook_secrets(timezone.now()) == [str(changed.webhook_secret)]

    def test_a_secret_that_is_lost_with_its_key_can_be_replaced(self, admin_client: Client, settings: Any) -> None:
        account = CredlyOrganizationFactory()
        settings.BADGES_ENCRYPTION_KEYS = ["another"]
        assert "cannot be decrypted" in self.page(admin_client, account)

        admin_client.post(reverse("admin:badges_credlyorganization_new_webhook_secret", args=[account.pk]))

        assert len(ProviderAccount.objects.get(pk=account.pk).webhook_secrets(timezone.now())) == 1


def test_a_badge_only_at_the_provider_is_shown_with_its_template(admin_client: Client) -> None:
    template = CredlyBadgeTemplateFactory(name="Data Science")
    ProviderBadge.objects.create(
        account=template.account,
        external_id="c-1",
        template_external_id=template.external_id,
        note="Nobody here has this address.",
        badge=BadgeFactory(template=template),
    )

    page = text_of(admin_client.get(reverse("admin:badges_providerbadge_changelist")))

    assert "Data Science" in page
    assert "Nobody here has this address." in page
