"""Badges that staff's programs award and revoke by hand, and the audit of that."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404
from django.utils.translation import gettext, gettext_lazy
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from badges.issuing import by_staff
from badges.models import Badge, BadgeChange, BadgeTemplate
from badges.models.users import username_of
from badges.processing.retries import retried
from badges.rest_api.fields import ModelSerializer
from badges.rest_api.v1.reading import Text, lms_id_column, user_named
from badges.rest_api.v1.telling import TemplateName
from badges.rest_api.views import ApiViews

AWARD = "badges.add_badge"
REVOKE = "badges.change_badge"
LARGEST_LMS_ID = 2**31 - 1


class WhyInput(serializers.Serializer[Any]):
    """Why it is done; whoever may see badges of others reads it. Name no learner in it."""

    reason = Text(max_length=by_staff.LONGEST_REASON)


class AwardInput(WhyInput):
    """Which badge, for whom. The learner is named by username or by the id that the LMS knows, not by both."""

    template = serializers.SlugRelatedField(
        slug_field="uuid",
        queryset=BadgeTemplate.objects.all(),
        error_messages={
            "does_not_exist": gettext_lazy("There is no such badge template."),
            "invalid": gettext_lazy("This is not a UUID."),
        },
    )
    username = Text(required=False)
    lms_user_id = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_LMS_ID)

    def validate_username(self, value: str) -> Any:
        return user_named(value)

    def validate_lms_user_id(self, value: int) -> Any:
        return user_of_lms(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [attrs.pop(name) for name in ("username", "lms_user_id") if name in attrs]
        if len(named) != 1:
            raise serializers.ValidationError(gettext("Name the learner either by username or by lms_user_id."))
        return {**attrs, "learner": named[0]}


class ChangeByHandSerializer(ModelSerializer[BadgeChange]):
    """That staff awarded or revoked a badge by hand: who, when and why. ``by`` is null for the platform itself."""

    by = serializers.SerializerMethodField()

    class Meta:
        model = BadgeChange
        fields = ("action", "at", "by", "reason")

    def get_by(self, obj: BadgeChange) -> str | None:
        return username_of(obj.by) if obj.by is not None else None


class BadgeByHandSerializer(ModelSerializer[Badge]):
    """A badge that was just awarded or revoked. It says no more of the learner than whoever asked has named."""

    url = serializers.SerializerMethodField()
    template = TemplateName(read_only=True)

    class Meta:
        model = Badge
        fields = ("uuid", "url", "template", "status", "awarded_at", "revoked_at")

    def get_url(self, obj: Badge) -> str:
        """The address of the badge in this API."""
        return str(reverse("badges:v1:badge-detail", kwargs={"uuid": obj.uuid}, request=self.context["request"]))


class ByHand(ApiViews):
    """Awarding and revoking; for a view whose ``lookup_field`` is ``uuid``."""

    def create(self, request: Request) -> Response:
        """Award a badge. It is announced and issued as one that was earned."""
        require(request, AWARD)
        data = self.read(AwardInput, request.data)
        template, learner, reason = data["template"], data["learner"], data["reason"]
        made = retried(partial(by_staff.award, template, learner, by=request.user, reason=reason))
        return self.tell_by_hand(made, 201)

    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, uuid: str) -> Response:
        """Take a badge away, for good: here, on the platform and at the provider."""
        require(request, REVOKE)
        data = self.read(WhyInput, request.data)
        try:
            badge = Badge.objects.get(uuid=uuid)
            revoked = retried(partial(by_staff.revoke, badge, by=request.user, reason=data["reason"]))
        except Badge.DoesNotExist as error:
            raise Http404 from error
        return self.tell_by_hand(revoked, 200)

    def tell_by_hand(self, badge: Badge, status: int) -> Response:
        told = Badge.objects.select_related("template").get(pk=badge.pk)
        return Response(BadgeByHandSerializer(told, context=self.get_serializer_context()).data, status=status)


def require(request: Request, *permissions: str) -> None:
    """
    Raises:
        PermissionDenied: who asks has none of these permissions.
    """
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied


def user_of_lms(lms_user_id: int) -> Any:
    """The active user with this id in the LMS; where users have no such id here, with this id of their own.

    Raises:
        ValidationError: there is none, or there are several.
    """
    users = get_user_model()._default_manager.filter(**{lms_id_column(): lms_user_id}, is_active=True)
    found = list(users.order_by("pk")[:2])
    if not found:
        raise serializers.ValidationError(gettext("There is no active user with this id."))
    if len(found) > 1:
        raise serializers.ValidationError(gettext("Several users have this id. Name the learner by username."))
    return found[0]
