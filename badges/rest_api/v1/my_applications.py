"""A learner's own applications."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponseBase
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from badges.applications import applying, files
from badges.models import Application
from badges.rest_api.parsing import DeepJSONParser
from badges.rest_api.throttling import Applying, Asking
from badges.rest_api.v1 import reading
from badges.rest_api.v1.filters import Unfiltered
from badges.rest_api.v1.telling import ApplicationInList, ApplicationSerializer
from badges.rest_api.views import ApiViews

EVIDENCE_PATH = "evidence/(?P<evidence_id>[0-9]{1,18})"


class HandingIn(ApiViews):
    """What learners do with applications, and staff for them. Whose may be touched, the query says."""

    parser_classes = (DeepJSONParser, MultiPartParser)
    takes_files = True
    handing_in: tuple[str, ...] = ("create", "resubmit")

    def get_throttles(self) -> Any:
        return [Asking(), Applying()] if self.action in self.handing_in else [Asking()]

    @action(detail=True, url_path=EVIDENCE_PATH)
    def evidence(self, request: Request, pk: str, evidence_id: str) -> HttpResponseBase:
        """The file of a piece of evidence, as an attachment."""
        application: Application = self.get_object()
        piece = application.evidence.filter(pk=int(evidence_id)).first()
        if piece is None:
            raise Http404
        return files.response(piece)

    @action(detail=True, methods=["post"])
    def resubmit(self, request: Request, pk: str) -> Response:
        """Hand it in again after more was asked."""
        application = self.get_object()
        data = self.read(reading.HandedIn, reading.input_of(request))
        return self.tell(
            applying.resubmit(
                application,
                statement=data.get("statement"),
                evidence=reading.evidence_of(data),
                by=request.user,
            )
        )

    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take it back."""
        application = self.get_object()
        data = self.read(reading.ReasonInput, request.data)
        return self.tell(applying.withdraw(application, by=request.user, reason=data["reason"]))

    def tell(self, application: Application, status: int = 200) -> Response:
        return Response(self.get_serializer(application).data, status=status)


class MyApplications(HandingIn):
    """The applications of whoever asks; those of others are not there."""

    def get_queryset(self) -> Any:
        user: Any = self.request.user
        own = Application.objects.filter(user=user).select_related("template")
        if self.action == "retrieve":
            own = own.prefetch_related("evidence", "reviews__items", "changes")
        return own.order_by("-pk")

    def get_serializer_class(self) -> Any:
        return ApplicationInList if self.action == "list" else ApplicationSerializer

    def list(self, request: Request) -> Response:
        self.read(Unfiltered, request.query_params)
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: str) -> Response:
        return self.tell(self.get_object())

    def create(self, request: Request) -> Response:
        data = self.read(reading.NewApplication, reading.input_of(request))
        made = applying.submit(
            data["template"], request.user, statement=data.get("statement", ""), evidence=reading.evidence_of(data)
        )
        return self.tell(made, status=201)
