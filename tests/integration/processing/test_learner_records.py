"""User records that a project's own model, its manager or its database make harder to find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models

from badges.data import IncomingEvent
from badges.exceptions import UnreadablePayload
from badges.models import Badge, Fulfillment
from badges.processing.dead_events import incoming
from badges.processing.pipeline import process_batch
from tests import factories
from tests.factories import BadgeTemplateFactory, UserFactory
from tests.integration.processing.helpers import fails, passes, send

pytestmark = pytest.mark.django_db
USERS = get_user_model()._base_manager


class ActiveOnly(models.Manager[Any]):
    """Hides some users."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(is_active=True)


@pytest.fixture
def unique_emails() -> Iterator[None]:
    """A user model whose e-mail addresses are unique."""
    table, on_table = get_user_model()._meta.db_table, ""
    if connection.vendor == "mysql":
        on_table = f" ON {table}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE UNIQUE INDEX test_unique_emails ON {table} (email)")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX test_unique_emails{on_table}")


def event(username: str, at: float, **payload: Any) -> IncomingEvent:
    arguments = {"course_passing_status": factories.passing_status(username, **payload)}
    return incoming(factories.metadata(at=at), arguments)


def test_a_learner_whom_the_default_manager_hides_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = ActiveOnly()
    manager.model, manager.name = get_user_model(), "objects"
    monkeypatch.setitem(get_user_model()._meta.__dict__, "default_manager", manager)
    passes(BadgeTemplateFactory())
    hidden = UserFactory(username="anna", is_active=False)

    send("anna")

    assert Badge.objects.get().user_id == hidden.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unique_emails")
def test_a_learner_who_cannot_be_made_is_refused_with_the_reason() -> None:
    UserFactory(username="other", email="anna@example.com")
    passes(BadgeTemplateFactory())

    with pytest.raises(UnreadablePayload, match="must be unique") as refused:
        send("anna")

    assert "anna" not in str(refused.value)
    assert not Badge.objects.exists()


@pytest.mark.skipif(connection.vendor != "mysql", reason="This database tells the case of letters apart.")
class TestAnotherSpelling:
    """MySQL takes "anna" and "Anna" for one name."""

    @pytest.fixture(autouse=True)
    def template(self) -> None:
        template = BadgeTemplateFactory()
        fails(template, passes(template))

    @pytest.mark.parametrize("is_one_batch", [True, False])
    def test_a_penalty_counts(self, is_one_batch: bool) -> None:
        earned, lost = event("anna", 1), event("Anna", 2, is_passing=False)

        for batch in [[earned, lost]] if is_one_batch else [[earned], [lost]]:
            process_batch(batch)

        assert Badge.objects.get().status == "revoked"
        assert not Fulfillment.objects.get().is_fulfilled

    def test_with_other_accents_too(self) -> None:
        process_batch([event("Zoë", 1)])

        process_batch([event("zoe", 2, is_passing=False)])

        assert Badge.objects.get().status == "revoked"


def test_a_penalty_makes_no_record_of_a_learner_whose_name_is_like_another_one() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))

    process_batch([event("anna", 1), event("ANNA2", 1, is_passing=False), event("anna2", 1, is_passing=False)])

    assert [user.username for user in USERS.all()] == ["anna"]
