"""The version of the active configuration, and the hooks that change it.

Whoever changes a template, requirement, rule or penalty gives the one row a new token, in the same transaction, and
before the change: the row is the first that is locked, so that those who change several rows each wait for one another
and never in a circle. A consumer compares the token with that of its compiled rules. It is random, not a counter: a
counter comes back after a rollback or a restored backup, with other contents.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=models.Model)
SINGLETON_ID = 1


class ConfigurationVersion(models.Model):
    """One row: the token of the present configuration.

    .. no_pii:
    """

    token = models.UUIDField(_("token"), default=uuid.uuid4)
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now)

    class Meta:
        db_table = "badging_configurationversion"
        verbose_name = _("configuration version")
        verbose_name_plural = _("configuration versions")

    def __str__(self) -> str:
        return str(self.token)

    @classmethod
    def current(cls, using: str | None = None) -> uuid.UUID | None:
        """The present token; None where nothing was ever configured. One query."""
        return cls._default_manager.using(using).filter(pk=SINGLETON_ID).values_list("token", flat=True).first()

    @classmethod
    def bump(cls, using: str | None = None) -> None:
        """Give the configuration a new token. Call it in the transaction of the change, before the change."""
        values = {"token": uuid.uuid4(), "changed_at": timezone.now()}
        if not cls._default_manager.using(using).filter(pk=SINGLETON_ID).update(**values):
            cls._default_manager.using(using).update_or_create(pk=SINGLETON_ID, defaults=values)

    @classmethod
    def hold(cls, using: str | None = None) -> None:
        """Keep others from changing the configuration until the transaction ends. It keeps its token."""
        cls._default_manager.using(using).select_for_update().filter(pk=SINGLETON_ID).first()


class ConfigurationQuerySet(models.QuerySet[M]):
    """A queryset whose bulk writes change the version too: they send no signals."""

    def update(self, **kwargs: Any) -> int:
        with transaction.atomic(using=self.db, savepoint=False):
            ConfigurationVersion.bump(self.db)
            return super().update(**kwargs)

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        with transaction.atomic(using=self.db, savepoint=False):
            ConfigurationVersion.bump(self.db)
            return super().bulk_create(objs, *args, **kwargs)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        with transaction.atomic(using=self.db, savepoint=False):
            ConfigurationVersion.bump(self.db)
            return super().bulk_update(objs, fields, *args, **kwargs)


class Configuration(models.Model):
    """Mixin of a model that is part of the configuration.

    .. no_pii:
    """

    objects = ConfigurationQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic(using=kwargs.get("using"), savepoint=False):
            ConfigurationVersion.bump(kwargs.get("using"))
            super().save(*args, **kwargs)


def bump_on_delete(sender: type[models.Model], using: str, **kwargs: object) -> None:
    """Receiver of ``pre_delete``; connected for every configuration model, so that cascades count too."""
    ConfigurationVersion.bump(using)


def bump_on_raw_save(sender: type[models.Model], using: str, *, raw: bool, **kwargs: object) -> None:
    """Receiver of ``pre_save`` for what bypasses ``save()``: fixtures and deserialized objects."""
    if raw:
        ConfigurationVersion.bump(using)


def bump_on_link(sender: type[models.Model], action: str, using: str, **kwargs: object) -> None:
    """Receiver of ``m2m_changed`` for the requirements that a penalty resets."""
    if action.startswith("pre_"):
        ConfigurationVersion.bump(using)
