"""What is stored, one concept a module."""

from badges.models.accounts import AccredibleAPIConfig, BadgeKitSystem, CredlyOrganization, ProviderAccount
from badges.models.adoption import AdoptedRow
from badges.models.applications import Application, ApplicationChange, Criterion, Evidence, Review, ReviewItem
from badges.models.awards import AccredibleBadge, Badge, BadgeKitBadge, BadgeNotification, CredlyBadge
from badges.models.callbacks import Callback, CallbackEndpoint
from badges.models.changes import BadgeChange
from badges.models.configuration import ConfigurationVersion
from badges.models.consumers import BusConsumer
from badges.models.dead_events import DeadEvent
from badges.models.deliveries import MOVES, Delivery, DeliveryAttempt
from badges.models.employment import EmployeeBadge, EmployeeRecord
from badges.models.health import AccountHealth, TemplateSync
from badges.models.progress import BadgeProgress, Fulfillment
from badges.models.provider_badges import ProviderBadge
from badges.models.requirements import BadgePenalty, BadgeRequirement, DataRule, PenaltyDataRule
from badges.models.templates import AccredibleGroup, BadgeKitTemplate, BadgeTemplate, CredlyBadgeTemplate
from badges.models.webhooks import WebhookEvent

__all__ = [
    "MOVES",
    "AccountHealth",
    "AccredibleAPIConfig",
    "AccredibleBadge",
    "AccredibleGroup",
    "AdoptedRow",
    "Application",
    "ApplicationChange",
    "Badge",
    "BadgeChange",
    "BadgeKitBadge",
    "BadgeKitSystem",
    "BadgeKitTemplate",
    "BadgeNotification",
    "BadgePenalty",
    "BadgeProgress",
    "BadgeRequirement",
    "BadgeTemplate",
    "BusConsumer",
    "Callback",
    "CallbackEndpoint",
    "ConfigurationVersion",
    "CredlyBadge",
    "CredlyBadgeTemplate",
    "CredlyOrganization",
    "Criterion",
    "DataRule",
    "DeadEvent",
    "Delivery",
    "DeliveryAttempt",
    "EmployeeBadge",
    "EmployeeRecord",
    "Evidence",
    "Fulfillment",
    "PenaltyDataRule",
    "ProviderAccount",
    "ProviderBadge",
    "Review",
    "ReviewItem",
    "TemplateSync",
    "WebhookEvent",
]
