"""All applications, for those who review them, award badges, and apply for learners."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from badges.applications import applying, permissions, reviewing
from badges.models import Application, ApplicationChange, Review
from badges.privacy.people import named
from badges.rest_api.v1 import reading
from badges.rest_api.v1.filters import ApplicationsQuery
from badges.rest_api.v1.my_applications import HandingIn
from badges.rest_api.v1.telling import ApplicationForReviewers, ApplicationInReviewersList, ApplicationSerializer


class Applications(HandingIn):
    """Whoever may not see applications of others finds none here."""

    # Whoever applies for a class of learners hands in more than a learner.
    handing_in = ()

    def get_queryset(self) -> Any:
        rows = Application.objects.select_related("template", "user", "assigned_to", "account").defer(
            "account__api_key", "account__webhook_secret", "account__former_webhook_secret"
        )
        if not permissions.may_see_all(self.request.user):
            return rows.none()
        if self.action == "retrieve":
            rows = rows.prefetch_related(
                "evidence",
                "template__review_criteria",
                Prefetch("reviews", Review.objects.select_related("author").prefetch_related("items")),
                Prefetch("changes", ApplicationChange.objects.select_related("by")),
            )
        return rows.order_by("-pk")

    def get_serializer_class(self) -> Any:
        if not permissions.may_see_all(self.request.user):
            # Who only hands in for learners is not told of their names and addresses.
            return ApplicationSerializer
        return ApplicationInReviewersList if self.action == "list" else ApplicationForReviewers

    def list(self, request: Request) -> Response:
        if not permissions.may_see_all(request.user):
            raise PermissionDenied
        query = self.read(ApplicationsQuery, request.query_params)
        rows = self.get_queryset()
        if "status" in query:
            rows = rows.filter(status__in=query["status"])
        if "template" in query:
            rows = rows.filter(template__uuid=query["template"])
        if "learner" in query:
            rows = _of(rows, "user", query["learner"])
        if "assigned_to" in query:
            rows = self._assigned_to(rows, query["assigned_to"])
        return self.page(rows)

    def retrieve(self, request: Request, pk: str) -> Response:
        return self.tell(self.get_object())

    def create(self, request: Request) -> Response:
        """Apply for a learner."""
        if not permissions.may_apply_for_others(request.user):
            raise PermissionDenied
        data = self.read(reading.NewApplicationForLearner, reading.input_of(request))
        made = applying.submit(
            data["template"],
            data["learner"],
            statement=data.get("statement", ""),
            evidence=reading.evidence_of(data),
            by=request.user,
        )
        return self.tell(made, status=201)

    @action(detail=True, methods=["post"])
    def review(self, request: Request, pk: str) -> Response:
        """Approve it, or ask the learner for more."""
        application = self.get_object()
        data = self.read(reading.ReviewInput, request.data)
        reviewing.review(
            application,
            request.user,
            items=reading.judgements_of(data),
            comment=data["comment"],
            approves=data["approves"],
            seen_at=data["submitted_at"],
        )
        return self.tell(self.get_object(), status=201)

    @action(detail=True, methods=["post"])
    def award(self, request: Request, pk: str) -> Response:
        """Award the badge of an approved one."""
        return self.tell(reviewing.award(self.get_object(), request.user))

    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """End it without a badge."""
        application = self.get_object()
        data = self.read(reading.ReasonInput, request.data)
        return self.tell(reviewing.close(application, data["reason"], request.user))

    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Say who is to review it."""
        application = self.get_object()
        data = self.read(reading.AssignmentInput, request.data)
        return self.tell(reviewing.assign(application, data["assigned_to"], request.user))

    def _assigned_to(self, rows: Any, who: str) -> Any:
        if who == "nobody":
            return rows.filter(assigned_to=None)
        return rows.filter(assigned_to=self.request.user) if who == "me" else _of(rows, "assigned_to", who)


def _of(rows: Any, column: str, username: str) -> Any:
    """Those of exactly this user; databases may take other spellings for the same."""
    found = named(username)
    return rows.filter(**{column: found}) if found is not None else rows.none()
