"""What the models of this app share: time stamps, and proxies that stand for one provider."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=models.Model)


def delete_with(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """``on_delete`` as ``CASCADE``, of a key that may be NULL.

    Where constraints cannot be deferred (MySQL), Django sets such a key to NULL before it deletes the row. A check that
    one of two keys is set refuses that; deleting the rows in the right order does without.
    """
    collector.collect(
        sub_objs, source=field.remote_field.model, source_attr=field.name, nullable=False, fail_on_restricted=False
    )


class TimeStamped(models.Model):
    """A row that knows when it was made and last changed.

    .. no_pii:
    """

    created = models.DateTimeField(_("created"), auto_now_add=True)
    modified = models.DateTimeField(_("modified"), auto_now=True)

    class Meta:
        abstract = True


class ProviderManager(models.Manager[M]):
    """Only the rows of the proxy's own provider."""

    def get_queryset(self) -> models.QuerySet[M]:
        model: Any = self.model
        return super().get_queryset().filter(**{model.provider_lookup: model.provider_slug})


class OfProvider:
    """Mixin of a proxy model that stands for the rows of one provider, wherever they name it."""

    provider_slug: ClassVar[str]
    provider_lookup: ClassVar[str] = "provider"


class SetsProvider(OfProvider):
    """The same for a model that holds the provider itself: it is set on save."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.provider = self.provider_slug
        super().save(*args, **kwargs)  # type: ignore[misc]
