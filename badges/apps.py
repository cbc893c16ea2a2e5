"""Wiring: what happens when Django starts."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _


class BadgesConfig(AppConfig):
    """The app ``badges``. With ``BADGES_ENABLED`` off it has tables and nothing else."""

    name = "badges"
    verbose_name = _("Badges")
    default_auto_field = "django.db.models.BigAutoField"
    # For the Credentials service. Only "base" comes before its settings are finished, and is overwritten by them.
    plugin_app = {
        "settings_config": {
            "credentials.djangoapp": {
                "base": {"relative_path": "host.base_settings"},
                "production": {"relative_path": "host.settings"},
                "devstack": {"relative_path": "host.settings"},
                "test": {"relative_path": "host.settings"},
            }
        }
    }

    def __init__(self, app_name: str, app_module: Any) -> None:
        from django.conf import settings

        from badges.host.settings import require_alone

        require_alone(settings.INSTALLED_APPS)
        super().__init__(app_name, app_module)

    def import_models(self) -> None:
        super().import_models()
        from badges.host import builtin_urls, installed

        # Before any app is ready: one that is so before this one may ask for an address of the host.
        if installed.is_host():
            builtin_urls.stand_in()

    def ready(self) -> None:
        from badges import checks

        checks.register_checks()
        self._watch_configuration()
        self._settle_in_host()
        self._wire()
        setting_changed.connect(self._follow, dispatch_uid="badges.apps.follow")

    def _wire(self) -> None:
        """Let events in and announcements out. Nothing of this is even imported while the feature is off."""
        from badges.toggles import is_badges_enabled

        if not is_badges_enabled() and "badges.eventbus.receivers" not in sys.modules:
            return
        from badges.eventbus import emit, receivers
        from badges.privacy import by_event

        emit.register_handlers()
        by_event.register()
        receivers.connect_configured()

    def _settle_in_host(self) -> None:
        """In the Credentials service: what its settings and records expect of the module that this one replaces."""
        from badges.host import installed, producer, records, settings

        if not installed.is_host():
            return
        producer.follow_switch()
        records.keep_for_host()
        settings.tell()

    def _follow(self, *, setting: str, **kwargs: object) -> None:
        if setting in ("BADGES_CONFIG", "BADGES_ENABLED"):
            self._wire()
        if setting == "BADGES_ENABLED":
            from badges.host import installed, producer

            if installed.is_host():
                producer.follow_switch()

    def _watch_configuration(self) -> None:
        from django.db.models.signals import m2m_changed, post_delete, pre_delete, pre_save

        from badges import models
        from badges.models.applications import delete_evidence_file
        from badges.models.configuration import bump_on_delete, bump_on_link, bump_on_raw_save
        from badges.models.templates import refuse_deletion_of_active

        templates = (models.BadgeTemplate, models.CredlyBadgeTemplate, models.AccredibleGroup, models.BadgeKitTemplate)
        owners = (models.BadgeRequirement, models.BadgePenalty, models.DataRule, models.PenaltyDataRule)
        for model in (*templates, *owners):
            pre_delete.connect(bump_on_delete, sender=model, dispatch_uid=f"badges.bump.{model.__name__}")
            pre_save.connect(bump_on_raw_save, sender=model, dispatch_uid=f"badges.bump.{model.__name__}")
        for model in templates:
            pre_delete.connect(refuse_deletion_of_active, sender=model, dispatch_uid=f"badges.protect.{model.__name__}")
        m2m_changed.connect(
            bump_on_link, sender=models.BadgePenalty.requirements.through, dispatch_uid="badges.bump.requirements"
        )
        post_delete.connect(delete_evidence_file, sender=models.Evidence, dispatch_uid="badges.evidence.file")
