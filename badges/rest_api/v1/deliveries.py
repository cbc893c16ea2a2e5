"""Deliveries, for staff's programs: what is to be told, what came of it; trying again now, and cancelling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from badges.issuing import by_hand
from badges.issuing.by_staff import LONGEST_REASON
from badges.issuing.deliveries import PROVIDER_CALLS
from badges.issuing.summary import health_of
from badges.models import Badge, BadgeTemplate, Delivery, DeliveryAttempt, ProviderAccount
from badges.processing.retries import retried
from badges.rest_api.audit import note_in_admin
from badges.rest_api.errors import Conflict
from badges.rest_api.fields import ModelSerializer, Time
from badges.rest_api.keyset import Keyset
from badges.rest_api.v1.by_hand import require
from badges.rest_api.v1.filters import NO_UUID, Query
from badges.rest_api.v1.reading import LARGEST_ID, Text
from badges.rest_api.v1.telling import TemplateName
from badges.rest_api.views import ApiViews

SEE = "badges.view_delivery"
ACT = "badges.change_delivery"
Status = Delivery.Status


class AccountOfDelivery(ModelSerializer[ProviderAccount]):
    """The account at a provider that a delivery needs. ``stopped`` says why nothing is sent to it; else it is null."""

    stopped = serializers.SerializerMethodField()

    class Meta:
        model = ProviderAccount
        fields = ("id", "provider", "name", "stopped")

    def get_stopped(self, obj: ProviderAccount) -> str | None:
        health = health_of(obj)
        return health.stop_reason if health is not None and health.stopped_at is not None else None


class AttemptSerializer(ModelSerializer[DeliveryAttempt]):
    """One attempt at a delivery."""

    class Meta:
        model = DeliveryAttempt
        fields = ("number", "started_at", "duration_ms", "outcome", "status_code", "detail")


class DeliverySerializer(ModelSerializer[Delivery]):
    """A delivery. ``badge`` is a UUID, null where it tells of an application; ``endpoint`` whom a callback tells."""

    badge = serializers.SerializerMethodField()
    template = serializers.SerializerMethodField()
    account = serializers.SerializerMethodField()
    endpoint = serializers.SerializerMethodField()
    next_attempt_at = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            "id",
            "badge",
            "template",
            "account",
            "endpoint",
            "action",
            "status",
            "attempts",
            "next_attempt_at",
            "last_error",
            "note",
            "created",
            "finished_at",
        )

    def get_badge(self, obj: Delivery) -> UUID | None:
        badge = badge_of(obj)
        return badge.uuid if badge is not None else None

    @extend_schema_field(TemplateName)
    def get_template(self, obj: Delivery) -> Any:
        return TemplateName(template_of(obj)).data

    @extend_schema_field(AccountOfDelivery(allow_null=True))
    def get_account(self, obj: Delivery) -> Any:
        """Null where it needs none: announcements and callbacks."""
        account = obj.own_badge.template.account if obj.action in PROVIDER_CALLS else None
        return AccountOfDelivery(account).data if account is not None else None

    def get_endpoint(self, obj: Delivery) -> str | None:
        return obj.callback.endpoint.name if obj.callback is not None else None

    @extend_schema_field(Time(allow_null=True))
    def get_next_attempt_at(self, obj: Delivery) -> Any:
        """Null where it is not to be attempted any more, and while a worker has it."""
        waits = obj.status == Status.PENDING
        return Time().to_representation(obj.next_attempt_at) if waits else None


class DeliveryWithHistory(DeliverySerializer):
    """A delivery with its attempts, the first one first."""

    history = AttemptSerializer(many=True, read_only=True)

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "history")


class DeliveriesQuery(Query):
    """The filters of the list. Several statuses or actions are parted by commas."""

    status = serializers.CharField(required=False)
    action = serializers.CharField(required=False)
    badge = serializers.UUIDField(required=False, error_messages=NO_UUID)
    template = serializers.UUIDField(required=False, error_messages=NO_UUID)
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)

    def validate_status(self, value: str) -> list[str]:
        return _known(value, Status.values, gettext('There is no status "%(name)s".'))

    def validate_action(self, value: str) -> list[str]:
        return _known(value, Delivery.Action.values, gettext('There is no action "%(name)s".'))


class CancelInput(serializers.Serializer[Any]):
    """Why it is cancelled; kept with the delivery. Name no learner in it."""

    reason = Text(max_length=LONGEST_REASON)


class Deliveries(ApiViews):
    """Whoever may see or change deliveries in the admin may here."""

    pagination_class: Any = Keyset

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action in ("retry", "cancel"):
            require(request, ACT)
        else:
            require(request, SEE, ACT)

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = Delivery.objects.select_related(
            "badge__template__account__health",
            "callback__endpoint",
            "callback__badge__template",
            "callback__review__application__template",
        ).defer(
            "badge__template__account__api_key",
            "badge__template__account__webhook_secret",
            "badge__template__account__former_webhook_secret",
            "callback__endpoint__secret",
        )
        return rows.order_by("-pk")

    def get_serializer_class(self) -> Any:
        return DeliverySerializer if self.action == "list" else DeliveryWithHistory

    def list(self, request: Request) -> Response:
        """All deliveries, the newest first."""
        query = self.read(DeliveriesQuery, request.query_params)
        rows = self.get_queryset()
        if "status" in query:
            rows = rows.filter(status__in=query["status"])
        if "action" in query:
            rows = rows.filter(action__in=query["action"])
        if "badge" in query:
            rows = rows.filter(pk__in=_about_badge(query["badge"]))
        if "template" in query:
            rows = rows.filter(
                Q(badge__template__uuid=query["template"])
                | Q(callback__badge__template__uuid=query["template"])
                | Q(callback__review__application__template__uuid=query["template"])
            )
        if "account" in query:
            rows = rows.filter(action__in=PROVIDER_CALLS, badge__template__account_id=query["account"])
        return self.page(rows)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One delivery, with its attempts."""
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Make it due now. Without a task engine it is attempted before the answer, which then says what came of it."""
        one = self._one()
        self._noted(one, lambda: by_hand.retry(one).deliveries, gettext("Retried by hand."))
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it without carrying it out, for good."""
        one = self._one()
        reason = self.read(CancelInput, request.data)["reason"]
        text = gettext("Cancelled by hand: %(reason)s") % {"reason": reason}
        self._noted(one, partial(by_hand.end, [int(pk)], Status.CANCELLED, reason), text)
        return Response(self.get_serializer(self.get_object()).data)

    def _noted(self, one: QuerySet[Delivery], act: Callable[[], Any], text: str) -> None:
        """Do it, and note who did it in the same transaction: what is begun on its commit may take long, or die."""

        def transact() -> None:
            with transaction.atomic():
                if not act():
                    raise Conflict(gettext("This delivery is finished, or a worker has it. Nothing was changed."))
                note_in_admin(self.request.user, one, text)

        retried(transact)

    def _one(self) -> QuerySet[Delivery]:
        return Delivery.objects.filter(pk=self.get_object().pk)


def badge_of(delivery: Delivery) -> Badge | None:
    """The badge that a delivery is about; None where it tells of an application."""
    return delivery.badge if delivery.callback is None else delivery.callback.badge


def template_of(delivery: Delivery) -> BadgeTemplate:
    """The badge template of what a delivery is about."""
    badge = badge_of(delivery)
    if badge is not None:
        return badge.template
    review = delivery.callback.review if delivery.callback is not None else None
    if review is None:
        raise ValueError(f"Delivery {delivery.pk} is about nothing.")
    return review.application.template


def _about_badge(uuid: UUID) -> list[int]:
    """The ids of the few deliveries of a badge. Asked for at once, databases read all deliveries of all badges."""
    own, told = (
        Delivery.objects.filter(**{column: uuid}).order_by().values_list("pk", flat=True)
        for column in ("badge__uuid", "callback__badge__uuid")
    )
    return [*own, *told]


def _known(value: str, names: list[str], message: str) -> list[str]:
    wanted = value.split(",")
    if unknown := sorted(set(wanted) - set(names)):
        raise serializers.ValidationError(message % {"name": unknown[0]})
    return wanted
