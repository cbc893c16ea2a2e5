"""Badge templates: what can be earned."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import ProtectedError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.data import OPENEDX_ORIGIN, TemplateState
from badges.models.accounts import ProviderAccount
from badges.models.base import ProviderManager, SetsProvider, TimeStamped
from badges.models.configuration import Configuration, ConfigurationQuerySet

STATES = [
    (TemplateState.DRAFT.value, _("draft")),
    (TemplateState.ACTIVE.value, _("active")),
    (TemplateState.ARCHIVED.value, _("archived")),
]


class BadgeTemplate(TimeStamped, Configuration):
    """A badge that can be earned. Only templates with ``is_active`` take part in processing.

    .. no_pii:
    """

    uuid = models.UUIDField(_("UUID"), default=uuid.uuid4, unique=True, editable=False)
    provider = models.SlugField(_("provider"), max_length=50, blank=True, default="")
    account = models.ForeignKey(
        ProviderAccount,
        verbose_name=_("account"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="templates",
    )
    # NULL for a template without a provider, see ProviderAccount.external_id.
    external_id = models.CharField(_("identifier at the provider"), max_length=255, null=True, blank=True)
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="")
    image_url = models.URLField(_("image"), max_length=1000, blank=True, default="")
    # What the provider names the image by, where its address takes a call of its own: asked for when this changes.
    image_key = models.CharField(_("image at the provider"), max_length=255, blank=True, default="", editable=False)
    skills = models.JSONField(_("skills"), blank=True, default=list, editable=False)
    criteria = models.JSONField(_("criteria"), blank=True, default=list, editable=False)
    """Of each criterion its ``title`` and its ``url``, either of which may be empty."""
    synced_in = models.UUIDField(_("synchronization"), null=True, blank=True, editable=False)
    state = models.CharField(
        _("state at the provider"), max_length=20, choices=STATES, default=TemplateState.ACTIVE.value
    )
    state_at = models.DateTimeField(_("state since"), null=True, blank=True, editable=False)
    takes_applications = models.BooleanField(
        _("takes applications"), default=False, help_text=_("Whether learners can apply for it, with evidence.")
    )
    awards_on_approval = models.BooleanField(
        _("awarded on approval"),
        default=False,
        help_text=_("Whether a review that approves an application awards the badge. Otherwise staff does."),
    )
    is_active = models.BooleanField(
        _("active"), default=False, help_text=_("Whether events are processed for this template.")
    )
    site = models.ForeignKey(
        "sites.Site", verbose_name=_("site"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "badging_badgetemplate"
        verbose_name = _("badge template")
        verbose_name_plural = _("badge templates")
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "external_id"],
                name="badging_template_external_id",
                violation_error_message=_("This account has a template with this identifier already."),
            ),
        ]
        indexes = [models.Index(fields=["is_active", "id"], name="badging_template_active")]

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        """The provider, or ``openedx`` where there is none: the ``origin`` of ``BadgeTemplateData``."""
        return self.provider or OPENEDX_ORIGIN

    @property
    def has_provider(self) -> bool:
        """Whether a badge of this template is issued anywhere besides here."""
        return self.account_id is not None

    def obstacles_to_activation(self) -> list[str]:
        """Why this template cannot be activated as it is stored, in sentences; empty if it can."""
        obstacles = []
        if self.state != TemplateState.ACTIVE:
            obstacles.append(
                gettext('The provider says that this template is "%(state)s"; only an active one can be issued.')
                % {"state": self.get_state_display()}
            )
        if self.provider and not self.account_id:
            obstacles.append(gettext("This template has no account at its provider, so its badges cannot be issued."))
        return obstacles

    def clean(self) -> None:
        super().clean()
        if self.account_id and self.account is not None:
            self.provider = self.account.provider
        self.external_id = (self.external_id or "").strip() or None
        if self.is_active and (obstacles := self.obstacles_to_activation()):
            raise ValidationError({"is_active": obstacles})

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.account_id and self.account is not None:
            self.provider = self.account.provider
        super().save(*args, **kwargs)


def refuse_deletion_of_active(sender: type[models.Model], instance: BadgeTemplate, **kwargs: object) -> None:
    """Receiver of ``pre_delete``: an active template cannot be deleted, by whatever way.

    Raises:
        ProtectedError: the template is active.
    """
    if instance.is_active:
        raise ProtectedError(
            gettext('The badge template "%(name)s" is active. Deactivate it first.') % {"name": instance.name},
            {instance},
        )


class CredlyBadgeTemplate(SetsProvider, BadgeTemplate):
    """A badge template of a Credly organization.

    .. no_pii:
    """

    provider_slug = "credly"
    objects: ClassVar[Any] = ProviderManager.from_queryset(ConfigurationQuerySet)()

    class Meta:
        proxy = True
        verbose_name = _("Credly badge template")
        verbose_name_plural = _("Credly badge templates")


class AccredibleGroup(SetsProvider, BadgeTemplate):
    """A group at Accredible.

    .. no_pii:
    """

    provider_slug = "accredible"
    objects: ClassVar[Any] = ProviderManager.from_queryset(ConfigurationQuerySet)()

    class Meta:
        proxy = True
        verbose_name = _("Accredible group")
        verbose_name_plural = _("Accredible groups")


class BadgeKitTemplate(SetsProvider, BadgeTemplate):
    """A badge of a BadgeKit system; its ``external_id`` is the badge's slug.

    .. no_pii:
    """

    provider_slug = "badgekit"
    objects: ClassVar[Any] = ProviderManager.from_queryset(ConfigurationQuerySet)()

    class Meta:
        proxy = True
        verbose_name = _("BadgeKit badge template")
        verbose_name_plural = _("BadgeKit badge templates")
