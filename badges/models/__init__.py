"""What is stored, one concept a module."""

from badges.models.accounts import AccredibleAPIConfig, CredlyOrganization, ProviderAccount
from badges.models.awards import AccredibleBadge, Badge, CredlyBadge
from badges.models.configuration import ConfigurationVersion
from badges.models.consumers import BusConsumer
from badges.models.dead_events import DeadEvent
from badges.models.deliveries import MOVES, Delivery, DeliveryAttempt
from badges.models.health import AccountHealth, TemplateSync
from badges.models.progress import BadgeProgress, Fulfillment
from badges.models.requirements import BadgePenalty, BadgeRequirement, DataRule, PenaltyDataRule
from badges.models.templates import AccredibleGroup, BadgeTemplate, CredlyBadgeTemplate

__all__ = [
    "MOVES",
    "AccountHealth",
    "AccredibleAPIConfig",
    "AccredibleBadge",
    "AccredibleGroup",
    "Badge",
    "BadgePenalty",
    "BadgeProgress",
    "BadgeRequirement",
    "BadgeTemplate",
    "BusConsumer",
    "ConfigurationVersion",
    "CredlyBadge",
    "CredlyBadgeTemplate",
    "CredlyOrganization",
    "DataRule",
    "DeadEvent",
    "Delivery",
    "DeliveryAttempt",
    "Fulfillment",
    "PenaltyDataRule",
    "ProviderAccount",
    "TemplateSync",
]
