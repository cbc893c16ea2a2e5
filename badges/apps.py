"""Wiring: what happens when Django starts."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_delete, pre_delete
from django.utils.translation import gettext_lazy as _


class BadgesConfig(AppConfig):
    """The app ``badges``. With ``BADGES_ENABLED`` off it has tables and nothing else."""

    name = "badges"
    verbose_name = _("Badges")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from badges import checks
        from badges.eventbus import emit, receivers

        checks.register_checks()
        self._watch_configuration()
        emit.register_handlers()
        receivers.connect_configured()

    def _watch_configuration(self) -> None:
        from badges import models
        from badges.models.configuration import bump_on_delete, bump_on_link
        from badges.models.templates import refuse_deletion_of_active

        templates = (models.BadgeTemplate, models.CredlyBadgeTemplate, models.AccredibleGroup)
        owners = (models.BadgeRequirement, models.BadgePenalty, models.DataRule, models.PenaltyDataRule)
        for model in (*templates, *owners):
            post_delete.connect(bump_on_delete, sender=model, dispatch_uid=f"badges.bump.{model.__name__}")
        for model in templates:
            pre_delete.connect(refuse_deletion_of_active, sender=model, dispatch_uid=f"badges.protect.{model.__name__}")
        m2m_changed.connect(
            bump_on_link, sender=models.BadgePenalty.requirements.through, dispatch_uid="badges.bump.requirements"
        )
