"""After a retirement, whoever searches the tables finds of the learner what the page on privacy says, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField, EmailField, Field, Model, SlugField, TextField

from badges.models import BadgeTemplate, Delivery, EmployeeRecord
from badges.models.users import username_of
from badges.privacy.retirement import retire
from tests import factories
from tests.integration.privacy.leaving import person

pytestmark = pytest.mark.django_db(transaction=True)
MARK = "Zoë Groß (zoe, zoe@example.com)"
CONFIGURATION = {
    *("ProviderAccount", "BadgeTemplate", "BadgeRequirement", "BadgePenalty", "DataRule", "PenaltyDataRule"),
    *("Criterion", "ConfigurationVersion", "TemplateSync", "AccountHealth", "BusConsumer", "CallbackEndpoint"),
    "AdoptedRow",
}
"""Nothing of learners, says the page on privacy."""
LEFT = {
    # The page says so: the badge's page at its provider.
    ("Badge", "url"),
    # What people wrote in applications and reviews of others, and of what was to be delivered for others.
    *(("Application", name) for name in ("statement", "note")),
    ("Review", "comment"),
    *(("Delivery", name) for name in ("note", "last_error")),
    # What identifies a row elsewhere, and never names anybody.
    ("EmployeeRecord", "employment_id"),
    *(("DeadEvent", name) for name in ("topic", "message_id")),
    ("WebhookEvent", "event_id"),
}
TOLD_BY_CODE = {"event_type", "slug", "object_id", "external_id", "file", "media_type", "state"}


def every_model() -> list[type[Model]]:
    models = [one for one in apps.get_app_config("badges").get_models() if one.__name__ not in CONFIGURATION]
    return [*(one for one in models if not one._meta.proxy), LogEntry]


def has_free_text(field: Field[Any, Any]) -> bool:
    is_text = isinstance(field, CharField | TextField) and not isinstance(field, EmailField | SlugField)
    is_long = field.max_length is None or field.max_length >= len(MARK)
    return is_text and is_long and not field.choices and field.name not in TOLD_BY_CODE and "body" not in field.name


def mark_everything() -> None:
    """The learner's names, into each text of each row that is there, whosever it is."""
    for model in every_model():
        for field in model._meta.concrete_fields:
            if has_free_text(field):
                # Some are unique together.
                for row in model._base_manager.all():
                    model._base_manager.filter(pk=row.pk).update(**{field.name: f"{row.pk} {MARK}"[: field.max_length]})


def found() -> set[tuple[str, str]]:
    """In which columns the learner is named."""
    rows = ((model.__name__, row) for model in every_model() for row in model._base_manager.values())
    texts = (
        (name, column, json.dumps(value, default=str, ensure_ascii=False).casefold())
        for name, row in rows
        for column, value in row.items()
    )
    return {(name, column) for name, column, text in texts if "zoe" in text or "gross" in text}


def test_what_is_left_is_what_the_page_says(template: BadgeTemplate) -> None:
    user = person("zoe", "Zoë Groß", template)
    factories.EmployeeBadgeFactory(employee=EmployeeRecord.objects.get())
    factories.DeliveryFactory()
    mark_everything()
    assert len(found()) > len(LEFT) + 20

    retire(user)

    assert found() == LEFT


@pytest.mark.parametrize("is_record_gone", [False, True])
def test_the_log_of_a_badge_that_is_not_there_any_more_does_not_name_the_learner(
    transactional_db: None, is_record_gone: bool
) -> None:
    anna, other = factories.UserFactory(username="anna"), factories.UserFactory(username="joanna")
    for user in (anna, other):
        for row in (factories.BadgeFactory(user=user), factories.BadgeProgressFactory(user=user)):
            LogEntry.objects.create(
                user=other,
                content_type=ContentType.objects.get_for_model(row),
                object_id=str(row.pk),
                object_repr=str(row),
                action_flag=CHANGE,
                change_message=f"Asked for by {username_of(user)}.",
            )
            row.delete()
    if is_record_gone:
        anna.delete()

    assert retire(None if is_record_gone else anna, usernames=["anna"])["admin_log"] == 2
    left = json.dumps(list(LogEntry.objects.values_list("object_repr", "change_message")))
    assert left.count("joanna") == 4
    assert "anna" not in left.replace("joanna", "")


def test_a_name_with_letters_that_fold_to_others_is_removed() -> None:
    user = factories.UserFactory(username="groß", email="groß@example.com", full_name="Jörg Groß")
    factories.DeliveryFactory(badge__user=user, status="done", note="Jörg Groß (groß, groß@example.com) asked.")
    factories.ProviderBadgeFactory(email="groß@example.com")

    assert retire(user)["provider_badges"] == 1
    assert Delivery.objects.get().note == "[removed] ([removed], [removed]) asked."
