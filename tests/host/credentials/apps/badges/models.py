"""The built-in module's tables. Nothing of what it does with them is here."""

import uuid

from django.contrib.sites.models import Site
from django.db import models

from credentials.apps.credentials.models import TimeStampedModel, UserCredential

OPERATORS = [("eq", "="), ("ne", "!=")]


class CredlyOrganization(TimeStampedModel):
    """An organization at Credly; its key is in clear text, or empty where it comes from the settings."""

    uuid = models.UUIDField(unique=True)
    api_key = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True, null=True)


class AccredibleAPIConfig(TimeStampedModel):
    """An account at Accredible."""

    name = models.CharField(max_length=255, blank=True, null=True)
    api_key = models.CharField(max_length=255)


class BadgeTemplate(TimeStampedModel):
    """What can be earned, at whatever provider."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    is_active = models.BooleanField(default=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, null=True)
    # The column of an ImageField, which would need Pillow. It holds the provider's address.
    icon = models.FileField(blank=True, null=True)
    origin = models.CharField(max_length=128, blank=True, null=True)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, blank=True, null=True)
    state = models.CharField(max_length=100, default="draft")


class CredlyBadgeTemplate(BadgeTemplate):
    """One of Credly."""

    organization = models.ForeignKey(CredlyOrganization, on_delete=models.CASCADE)


class AccredibleGroup(BadgeTemplate):
    """One of Accredible; its primary key is the group's id there."""

    api_config = models.ForeignKey(AccredibleAPIConfig, on_delete=models.CASCADE)


class BadgeRequirement(models.Model):
    """What has to be done."""

    template = models.ForeignKey(BadgeTemplate, on_delete=models.CASCADE, related_name="requirements")
    event_type = models.CharField(max_length=255)
    description = models.TextField(blank=True, null=True)
    blend = models.CharField(max_length=50, blank=True, null=True)


class DataRule(models.Model):
    """Which events fulfil a requirement."""

    requirement = models.ForeignKey(BadgeRequirement, on_delete=models.CASCADE, related_name="rules")
    data_path = models.CharField(max_length=255)
    operator = models.CharField(max_length=32, choices=OPERATORS, default="eq")
    value = models.CharField(max_length=255)

    class Meta:
        unique_together = (("requirement", "data_path", "operator", "value"),)


class BadgePenalty(models.Model):
    """What undoes requirements."""

    template = models.ForeignKey(BadgeTemplate, on_delete=models.CASCADE)
    event_type = models.CharField(max_length=255)
    requirements = models.ManyToManyField(BadgeRequirement)


class PenaltyDataRule(models.Model):
    """Which events are a penalty."""

    penalty = models.ForeignKey(BadgePenalty, on_delete=models.CASCADE, related_name="rules")
    data_path = models.CharField(max_length=255)
    operator = models.CharField(max_length=32, choices=OPERATORS, default="eq")
    value = models.CharField(max_length=255)

    class Meta:
        unique_together = (("penalty", "data_path", "operator", "value"),)


class BadgeProgress(models.Model):
    """How far somebody is. Nothing keeps it from being there twice."""

    username = models.CharField(max_length=255)
    template = models.ForeignKey(BadgeTemplate, on_delete=models.SET_NULL, blank=True, null=True)


class Fulfillment(models.Model):
    """A requirement that somebody has fulfilled."""

    progress = models.ForeignKey(BadgeProgress, on_delete=models.CASCADE)
    requirement = models.ForeignKey(BadgeRequirement, on_delete=models.SET_NULL, blank=True, null=True)
    blend = models.CharField(max_length=50, blank=True, null=True)


class CredlyBadge(UserCredential):
    """A badge at Credly."""

    state = models.CharField(max_length=50, default="created")
    external_uuid = models.UUIDField(blank=True, null=True, unique=True)


class AccredibleBadge(UserCredential):
    """A credential at Accredible."""

    state = models.CharField(max_length=50, default="created")
    external_id = models.IntegerField(blank=True, null=True, unique=True)
