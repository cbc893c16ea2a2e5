"""The tables of the built-in module and of the host, as they are: read, and never written.

The models live in a registry of their own, so that no migration, admin or content type ever sees them. They have no
relation backwards, for that registry belongs to no app: ask the table that holds the key.
"""

# ruff: noqa: DJ008 - no screen shows them
from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS, connections, models

registry = Apps()
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for a time that is not known. MySQL may hold 0000-00-00, of which the driver makes None."""


class _Row(models.Model):
    id = models.BigAutoField(primary_key=True)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        abstract = True
        managed = False
        apps = registry
        app_label = "badges_built_in"


class _TimeStamped(_Row):
    created = models.DateTimeField()
    modified = models.DateTimeField()

    class Meta(_Row.Meta):
        abstract = True


def _key(to: type[models.Model], *, null: bool = False) -> models.ForeignKey[models.Model, models.Model]:
    # There is no constraint to be made: only tests make these tables, and there rows may refer to nothing.
    return models.ForeignKey(
        to, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, null=null, db_index=True
    )


class ContentType(_Row):
    """A model, as the host names it."""

    app_label = models.CharField(max_length=100)
    model = models.CharField(max_length=100)

    class Meta(_Row.Meta):
        db_table = "django_content_type"


class UserCredential(_TimeStamped):
    """The host's record of a badge. ``credential_id`` is the id of its template."""

    username = models.CharField(max_length=255)
    status = models.CharField(max_length=255)
    uuid = models.UUIDField(unique=True)
    credential_content_type = _key(ContentType)
    credential_id = models.PositiveIntegerField()

    class Meta(_Row.Meta):
        db_table = "credentials_usercredential"


class CredlyOrganization(_TimeStamped):
    """An organization at Credly."""

    uuid = models.UUIDField(unique=True)
    api_key = models.CharField(max_length=255)
    name = models.CharField(max_length=255, null=True)

    class Meta(_Row.Meta):
        db_table = "badges_credlyorganization"


class AccredibleAPIConfig(_TimeStamped):
    """An API key at Accredible."""

    name = models.CharField(max_length=255, null=True)
    api_key = models.CharField(max_length=255)

    class Meta(_Row.Meta):
        db_table = "badges_accredibleapiconfig"


class BadgeTemplate(_TimeStamped):
    """What can be earned."""

    is_active = models.BooleanField(default=False)
    uuid = models.UUIDField(unique=True)
    name = models.CharField(max_length=255)
    description = models.TextField(null=True)
    icon = models.CharField(max_length=255, null=True)
    origin = models.CharField(max_length=128, null=True)
    site_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=100, null=True)

    class Meta(_Row.Meta):
        db_table = "badges_badgetemplate"


class _OfTemplate(models.Model):
    badgetemplate_ptr = models.OneToOneField(
        BadgeTemplate, on_delete=models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False
    )

    objects: ClassVar[Any] = models.Manager()

    class Meta(_Row.Meta):
        abstract = True


class CredlyBadgeTemplate(_OfTemplate):
    """That a template is one of a Credly organization."""

    organization = _key(CredlyOrganization)

    class Meta(_Row.Meta):
        db_table = "badges_credlybadgetemplate"


class AccredibleGroup(_OfTemplate):
    """That a template is a group at Accredible."""

    api_config = _key(AccredibleAPIConfig)

    class Meta(_Row.Meta):
        db_table = "badges_accrediblegroup"


class BadgeRequirement(_Row):
    """What earns a badge. ``blend`` is its group."""

    event_type = models.CharField(max_length=255)
    description = models.TextField(null=True)
    blend = models.CharField(max_length=50, null=True)
    template = _key(BadgeTemplate)

    class Meta(_Row.Meta):
        db_table = "badges_badgerequirement"


class _Rule(_Row):
    data_path = models.CharField(max_length=255)
    operator = models.CharField(max_length=32)
    value = models.CharField(max_length=255)

    class Meta(_Row.Meta):
        abstract = True


class DataRule(_Rule):
    """A condition of a requirement."""

    requirement = _key(BadgeRequirement)

    class Meta(_Row.Meta):
        db_table = "badges_datarule"


class BadgePenalty(_Row):
    """What takes a badge away."""

    event_type = models.CharField(max_length=255)
    template = _key(BadgeTemplate)

    class Meta(_Row.Meta):
        db_table = "badges_badgepenalty"


class PenaltyRequirement(_Row):
    """That a penalty resets a requirement."""

    badgepenalty = _key(BadgePenalty)
    badgerequirement = _key(BadgeRequirement)

    class Meta(_Row.Meta):
        db_table = "badges_badgepenalty_requirements"


class PenaltyDataRule(_Rule):
    """A condition of a penalty."""

    penalty = _key(BadgePenalty)

    class Meta(_Row.Meta):
        db_table = "badges_penaltydatarule"


class BadgeProgress(_Row):
    """How far a learner is. There may be several of a learner and a template."""

    username = models.CharField(max_length=255)
    template = _key(BadgeTemplate, null=True)

    class Meta(_Row.Meta):
        db_table = "badges_badgeprogress"


class Fulfillment(_Row):
    """That a requirement is fulfilled."""

    blend = models.CharField(max_length=50, null=True)
    progress = _key(BadgeProgress)
    requirement = _key(BadgeRequirement, null=True)

    class Meta(_Row.Meta):
        db_table = "badges_fulfillment"


class _OfCredential(models.Model):
    usercredential_ptr = models.OneToOneField(
        UserCredential, on_delete=models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False
    )
    state = models.CharField(max_length=50)

    objects: ClassVar[Any] = models.Manager()

    class Meta(_Row.Meta):
        abstract = True


class CredlyBadge(_OfCredential):
    """What Credly said of a badge."""

    external_uuid = models.UUIDField(unique=True, null=True)

    class Meta(_Row.Meta):
        db_table = "badges_credlybadge"


class AccredibleBadge(_OfCredential):
    """What Accredible said of a badge."""

    external_id = models.BigIntegerField(unique=True, null=True)

    class Meta(_Row.Meta):
        db_table = "badges_accrediblebadge"


BUILT_IN: tuple[Any, ...] = (
    CredlyOrganization,
    AccredibleAPIConfig,
    BadgeTemplate,
    CredlyBadgeTemplate,
    AccredibleGroup,
    BadgeRequirement,
    DataRule,
    BadgePenalty,
    PenaltyRequirement,
    PenaltyDataRule,
    BadgeProgress,
    Fulfillment,
    CredlyBadge,
    AccredibleBadge,
)
"""The 14 tables of the built-in module, those that others refer to first."""

BADGES: Mapping[str, Any] = {"credly": CredlyBadge, "accredible": AccredibleBadge}
"""What a template is -> the table of its badges."""
CONTENT_TYPES = {"credly": "credlybadgetemplate", "accredible": "accrediblegroup"}
"""What a template is -> the model of the content type that the host's record of its badges has."""

READ: tuple[Any, ...] = (*BUILT_IN, UserCredential, ContentType)
"""All that an adoption reads."""


def badges_of(template_id: int) -> dict[str, models.QuerySet[Any]]:
    """The badges of a template's id, by what it was: an overwritten one has those of two providers."""
    found = ContentType.objects.filter(app_label="badges", model__in=CONTENT_TYPES.values())
    types = dict(found.values_list("model", "pk"))
    return {
        kind: BADGES[kind].objects.filter(
            usercredential_ptr__credential_id=template_id,
            usercredential_ptr__credential_content_type_id=types.get(model),
        )
        for kind, model in CONTENT_TYPES.items()
    }


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The tables that an adoption reads and that are not there. One question to the database."""
    connection = connections[using]
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    return [model._meta.db_table for model in READ if model._meta.db_table not in there]


def missing_columns(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The columns that an adoption reads and that are not there, each as table.column. The tables are there."""
    connection = connections[using]
    absent = []
    with connection.cursor() as cursor:
        for model in READ:
            table = model._meta.db_table
            there = {column.name for column in connection.introspection.get_table_description(cursor, table)}
            absent += [f"{table}.{field.column}" for field in model._meta.fields if field.column not in there]
    return absent
