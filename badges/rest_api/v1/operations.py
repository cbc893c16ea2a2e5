"""What each operation of the first version takes and gives, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from badges.models import (
    Application,
    Badge,
    Delivery,
    DeliveryAttempt,
    Evidence,
)
from badges.rest_api.openapi import Operation, document, several
from badges.rest_api.v1 import reading, telling, telling_badges
from badges.rest_api.v1.by_hand import AwardInput, BadgeByHandSerializer, WhyInput
from badges.rest_api.v1.deliveries import CancelInput, DeliveriesQuery, DeliverySerializer, DeliveryWithHistory
from badges.rest_api.v1.filters import ApplicationsQuery, BadgesQuery, MyBadgesQuery, ProgressQuery, TemplatesQuery

TITLE = "Badges"
DESCRIPTION = """\
What learners' and staff's programs ask for: badges, progress, what can be earned, applications, deliveries.

Everything is JSON; only files of evidence are handed out as they are. Whoever asks logs in by one of the ways
that the project with this API has. Errors have one shape, see `Error`.
"""
TAGS = [
    {"name": "my/badges", "description": "The badges of whoever asks."},
    {"name": "my/progress", "description": "How far whoever asks is with each badge."},
    {"name": "my/applications", "description": "The applications of whoever asks."},
    {"name": "templates", "description": "Badges that can be earned."},
    {"name": "application-templates", "description": "Badges that can be applied for."},
    {"name": "badges", "description": "For staff: the badges of all learners; awarding and revoking by hand."},
    {"name": "progress", "description": "For staff: the progress of all learners."},
    {"name": "applications", "description": "For reviewers and staff: the applications of all learners."},
    {"name": "deliveries", "description": "For staff: what is to be told to the platform, providers and others."},
]
ENUMERATIONS = {
    "ApplicationStatus": Application.Status.choices,
    "BadgeStatus": Badge.Status.choices,
    "DeliveryAction": Delivery.Action.choices,
    "DeliveryStatus": Delivery.Status.choices,
    "AttemptOutcome": DeliveryAttempt.Outcome.choices,
    "EvidenceKind": Evidence.Kind.choices,
    "NewEvidenceKind": [Evidence.Kind.LINK.value, Evidence.Kind.TEXT.value],
}


class EvidenceForm(serializers.Serializer[Any]):
    """What is handed in with files: a form."""

    statement = serializers.CharField(required=False, allow_blank=True)
    evidence = serializers.CharField(required=False, help_text="JSON: a list of links and texts, as in a body of JSON.")
    files = serializers.ListField(child=serializers.FileField(), required=False)


class NewApplicationForm(EvidenceForm):
    """An application with files."""

    template = serializers.UUIDField()


class NewApplicationForLearnerForm(NewApplicationForm):
    """An application with files, for a learner."""

    learner = serializers.CharField()


class EvidenceJSON(serializers.Serializer[Any]):
    """What is handed in without files."""

    statement = serializers.CharField(required=False, allow_blank=True)
    evidence = reading.EvidenceInput(many=True, required=False)


class NewApplicationJSON(EvidenceJSON):
    """An application without files."""

    template = serializers.UUIDField()


class NewApplicationForLearnerJSON(NewApplicationJSON):
    """An application without files, for a learner."""

    learner = serializers.CharField(help_text="The learner's username.")


class CloseJSON(serializers.Serializer[Any]):
    """Why it is closed; the learner reads it."""

    reason = serializers.CharField()


class AwardJSON(WhyInput):
    """Which badge, for whom: named by `username` or by `lms_user_id`, not by both."""

    template = serializers.UUIDField(help_text="The UUID of an active badge template.")
    username = serializers.CharField(required=False)
    lms_user_id = AwardInput().fields["lms_user_id"]


_UUID = "3f1d9f0e-8a53-4c39-9a0f-5f0b6d0a7c11"
_TEMPLATE = "0e9a8a7c-6a0e-4a39-8f5e-2f6d1c7b9a42"
_AWARDED = {
    "uuid": _UUID,
    "url": f"https://credentials.example.com/badges/api/v1/badges/{_UUID}/",
    "template": {"uuid": _TEMPLATE, "name": "Python for beginners"},
    "status": "awarded",
    "awarded_at": "2026-11-21T10:00:00Z",
    "revoked_at": None,
}
_AWARD_EXAMPLES = (
    OpenApiExample(
        "By username",
        {"template": _TEMPLATE, "username": "anna", "reason": "Took part in the trial of the course."},
        request_only=True,
    ),
    OpenApiExample(
        "By the id in the LMS",
        {"template": _TEMPLATE, "lms_user_id": 1203, "reason": "Took part in the trial of the course."},
        request_only=True,
    ),
    OpenApiExample("Awarded", _AWARDED, response_only=True, status_codes=["201"]),
    OpenApiExample(
        "Awarded before",
        {
            "error": {
                "code": "already_awarded",
                "message": "The learner has this badge already. Nothing was changed.",
                "fields": {},
                "badge": _AWARDED["url"],
            }
        },
        response_only=True,
        status_codes=["409"],
    ),
)
_REVOKE_EXAMPLES = (
    OpenApiExample("Reason", {"reason": "It was meant for another learner."}, request_only=True),
    OpenApiExample(
        "Revoked",
        {**_AWARDED, "status": "revoked", "revoked_at": "2026-11-22T08:30:00Z"},
        response_only=True,
        status_codes=["200"],
    ),
)

_BADGE_STATUS = several("status", Badge.Status.values)

OPERATIONS: Mapping[str, Operation] = {
    "my-badge.list": Operation(
        "list_my_badges", "My badges", telling_badges.BadgeSerializer, query=[MyBadgesQuery, _BADGE_STATUS], many=True
    ),
    "my-badge.retrieve": Operation("get_my_badge", "One of my badges", telling_badges.BadgeSerializer),
    "my-progress.list": Operation("list_my_progress", "My progress", telling_badges.StandingSerializer, many=True),
    "my-progress.retrieve": Operation(
        "get_my_progress", "My progress with one badge", telling_badges.StandingSerializer
    ),
    "template.list": Operation(
        "list_templates",
        "Badges that can be earned",
        telling_badges.EarnableSerializer,
        query=[TemplatesQuery],
        many=True,
    ),
    "template.retrieve": Operation("get_template", "One badge that can be earned", telling_badges.EarnableSerializer),
    "badge.list": Operation(
        "list_badges",
        "Badges of all learners",
        telling_badges.BadgeForStaff,
        query=[BadgesQuery, _BADGE_STATUS],
        many=True,
    ),
    "badge.retrieve": Operation("get_badge", "One badge", telling_badges.WholeBadgeForStaff),
    "badge.create": Operation(
        "award_badge",
        "Award a badge by hand",
        BadgeByHandSerializer,
        201,
        AwardJSON,
        errors=[409],
        examples=_AWARD_EXAMPLES,
    ),
    "badge.revoke": Operation(
        "revoke_badge",
        "Revoke a badge by hand",
        BadgeByHandSerializer,
        body=WhyInput,
        errors=[409],
        examples=_REVOKE_EXAMPLES,
    ),
    "progress.list": Operation(
        "list_progress", "Progress of all learners", telling_badges.ProgressForStaff, query=[ProgressQuery], many=True
    ),
    "progress.retrieve": Operation("get_progress", "One progress record", telling_badges.WholeProgressForStaff),
    "application-template.list": Operation(
        "list_application_templates", "Badges that can be applied for", telling.TemplateSerializer, many=True
    ),
    "application-template.retrieve": Operation(
        "get_application_template", "One badge that can be applied for", telling.TemplateSerializer
    ),
    "my-application.list": Operation("list_my_applications", "My applications", telling.ApplicationInList, many=True),
    "my-application.retrieve": Operation("get_my_application", "One of my applications", telling.ApplicationSerializer),
    "my-application.create": Operation(
        "apply_for_badge",
        "Apply for a badge",
        telling.ApplicationSerializer,
        201,
        NewApplicationJSON,
        NewApplicationForm,
        errors=[409],
    ),
    "my-application.evidence": Operation("get_my_evidence", "The file of a piece of my evidence"),
    "my-application.resubmit": Operation(
        "resubmit_my_application",
        "Hand an application in again",
        telling.ApplicationSerializer,
        body=EvidenceJSON,
        form=EvidenceForm,
        errors=[409],
    ),
    "my-application.withdraw": Operation(
        "withdraw_my_application",
        "Take an application back",
        telling.ApplicationSerializer,
        body=reading.ReasonInput,
        errors=[409],
    ),
    "application.list": Operation(
        "list_applications",
        "Applications of all learners",
        telling.ApplicationInReviewersList,
        query=[
            ApplicationsQuery,
            several("status", Application.Status.values),
            OpenApiParameter("assigned_to", description="A username; `me`; or `nobody`.", allow_blank=False),
            OpenApiParameter("learner", description="A username.", allow_blank=False),
        ],
        many=True,
    ),
    "application.retrieve": Operation("get_application", "One application", telling.ApplicationForReviewers),
    "application.create": Operation(
        "apply_for_learner",
        "Apply for a learner",
        telling.ApplicationForReviewers,
        201,
        NewApplicationForLearnerJSON,
        NewApplicationForLearnerForm,
        errors=[409],
    ),
    "application.evidence": Operation("get_evidence", "The file of a piece of evidence"),
    "application.resubmit": Operation(
        "resubmit_application",
        "Hand an application in again for its learner",
        telling.ApplicationForReviewers,
        body=EvidenceJSON,
        form=EvidenceForm,
        errors=[409],
    ),
    "application.withdraw": Operation(
        "withdraw_application",
        "Take an application back for its learner",
        telling.ApplicationForReviewers,
        body=reading.ReasonInput,
        errors=[409],
    ),
    "application.review": Operation(
        "review_application",
        "Approve an application, or ask for more",
        telling.ApplicationForReviewers,
        201,
        reading.ReviewInput,
        errors=[409],
    ),
    "application.award": Operation(
        "award_application",
        "Award the badge of an approved application",
        telling.ApplicationForReviewers,
        errors=[409],
    ),
    "application.close": Operation(
        "close_application",
        "End an application without a badge",
        telling.ApplicationForReviewers,
        body=CloseJSON,
        errors=[409],
    ),
    "application.assign": Operation(
        "assign_application",
        "Say who is to review an application",
        telling.ApplicationForReviewers,
        body=reading.AssignmentInput,
        errors=[409],
    ),
    "delivery.list": Operation(
        "list_deliveries",
        "Deliveries",
        DeliverySerializer,
        query=[
            DeliveriesQuery,
            several("status", Delivery.Status.values),
            several("action", Delivery.Action.values),
        ],
        many=True,
    ),
    "delivery.retrieve": Operation("get_delivery", "One delivery", DeliveryWithHistory),
    "delivery.retry": Operation("retry_delivery", "Try a delivery again now", DeliveryWithHistory, errors=[409]),
    "delivery.cancel": Operation(
        "cancel_delivery", "Cancel a delivery", DeliveryWithHistory, body=CancelInput, errors=[409]
    ),
}


def document_of(patterns: Any, server: str, *, quietly: bool) -> dict[str, Any]:
    """The OpenAPI document of this version.

    Arguments:
        patterns: its addresses.
        server: the address under which they are.
        quietly: whether what cannot be told is left out, as of a project's own ways to log in.
    """
    made = document(
        patterns,
        OPERATIONS,
        server=server,
        title=TITLE,
        description=DESCRIPTION,
        tags=TAGS,
        enumerations=ENUMERATIONS,
        quietly=quietly,
    )
    made["components"]["schemas"]["AwardJSON"]["oneOf"] = [{"required": ["username"]}, {"required": ["lms_user_id"]}]
    return made
