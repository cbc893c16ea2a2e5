"""The screens of the Django admin. With ``BADGES_ENABLED`` off there are none."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model

from badges.toggles import is_badges_enabled


def register_screens() -> None:
    """Put every screen at the address that operators know: ``/admin/badges/<model>/``."""
    # Not above: importing a screen needs the models, and with the feature off nothing is needed.
    from badges import models  # noqa: PLC0415
    from badges.admin import (  # noqa: PLC0415
        accounts,
        awards,
        consumers,
        dead_events,
        deliveries,
        progress,
        requirements,
        templates,
    )

    screens: dict[type[Model], type[admin.ModelAdmin[Any]]] = {
        models.ProviderAccount: accounts.ProviderAccountAdmin,
        models.CredlyOrganization: accounts.CredlyOrganizationAdmin,
        models.AccredibleAPIConfig: accounts.AccredibleAPIConfigAdmin,
        models.BadgeTemplate: templates.BadgeTemplateAdmin,
        models.CredlyBadgeTemplate: templates.CredlyBadgeTemplateAdmin,
        models.AccredibleGroup: templates.AccredibleGroupAdmin,
        models.BadgeRequirement: requirements.BadgeRequirementAdmin,
        models.BadgePenalty: requirements.BadgePenaltyAdmin,
        models.BadgeProgress: progress.BadgeProgressAdmin,
        models.Badge: awards.BadgeAdmin,
        models.CredlyBadge: awards.CredlyBadgeAdmin,
        models.AccredibleBadge: awards.AccredibleBadgeAdmin,
        models.Delivery: deliveries.DeliveryAdmin,
        models.BusConsumer: consumers.BusConsumerAdmin,
        models.DeadEvent: dead_events.DeadEventAdmin,
    }
    for model, screen in screens.items():
        admin.site.register(model, screen)


if is_badges_enabled():
    register_screens()
