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
        applications,
        awards,
        callbacks,
        consumers,
        dead_events,
        deliveries,
        employees,
        progress,
        provider_badges,
        requirements,
        templates,
        webhook_events,
    )

    screens: dict[type[Model], type[admin.ModelAdmin[Any]]] = {
        models.ProviderAccount: accounts.ProviderAccountAdmin,
        models.CredlyOrganization: accounts.CredlyOrganizationAdmin,
        models.AccredibleAPIConfig: accounts.AccredibleAPIConfigAdmin,
        models.BadgeKitSystem: accounts.BadgeKitSystemAdmin,
        models.BadgeTemplate: templates.BadgeTemplateAdmin,
        models.CredlyBadgeTemplate: templates.CredlyBadgeTemplateAdmin,
        models.AccredibleGroup: templates.AccredibleGroupAdmin,
        models.BadgeKitTemplate: templates.BadgeKitTemplateAdmin,
        models.BadgeRequirement: requirements.BadgeRequirementAdmin,
        models.BadgePenalty: requirements.BadgePenaltyAdmin,
        models.Application: applications.ApplicationAdmin,
        models.BadgeProgress: progress.BadgeProgressAdmin,
        models.Badge: awards.BadgeAdmin,
        models.CredlyBadge: awards.CredlyBadgeAdmin,
        models.AccredibleBadge: awards.AccredibleBadgeAdmin,
        models.BadgeKitBadge: awards.BadgeKitBadgeAdmin,
        models.CallbackEndpoint: callbacks.CallbackEndpointAdmin,
        models.Delivery: deliveries.DeliveryAdmin,
        models.EmployeeRecord: employees.EmployeeRecordAdmin,
        models.BusConsumer: consumers.BusConsumerAdmin,
        models.DeadEvent: dead_events.DeadEventAdmin,
        models.ProviderBadge: provider_badges.ProviderBadgeAdmin,
        models.WebhookEvent: webhook_events.WebhookEventAdmin,
    }
    for model, screen in screens.items():
        admin.site.register(model, screen)


if is_badges_enabled():
    register_screens()
