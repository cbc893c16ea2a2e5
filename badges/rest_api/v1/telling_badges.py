"""Badges, progress and what can be earned in JSON: as learners see them, and as staff do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from rest_framework import serializers

from badges.models import Badge, BadgeTemplate, Fulfillment
from badges.models.users import username_of
from badges.rest_api.fields import ModelSerializer, Time
from badges.rest_api.v1.by_hand import ChangeByHandSerializer
from badges.rest_api.v1.standings import Standing, requirement_text
from badges.rest_api.v1.words import provider_name, state_words, web_address
from badges.rules.words import is_personal


class ProviderSerializer(serializers.Serializer[BadgeTemplate]):
    """Who issues a badge; ``openedx`` where the platform's own record is all."""

    slug = serializers.CharField(source="origin", read_only=True)
    name = serializers.SerializerMethodField()

    def get_name(self, obj: BadgeTemplate) -> str:
        return provider_name(obj.provider)


class TemplateOfBadge(ModelSerializer[BadgeTemplate]):
    """A badge template, and who issues its badges."""

    image_url = serializers.SerializerMethodField()
    provider = ProviderSerializer(source="*", read_only=True)

    class Meta:
        model = BadgeTemplate
        fields: tuple[str, ...] = ("uuid", "name", "description", "image_url", "provider")

    def get_image_url(self, obj: BadgeTemplate) -> str | None:
        """Null where there is none."""
        return web_address(obj.image_url)


class BadgeSerializer(ModelSerializer[Badge]):
    """A badge, for its learner. ``state`` is the provider's own word, ``state_text`` says it in words."""

    state_text = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    image_url = serializers.SerializerMethodField()
    template = TemplateOfBadge(read_only=True)

    class Meta:
        model = Badge
        fields: tuple[str, ...] = (
            "uuid",
            "status",
            "awarded_at",
            "revoked_at",
            "state",
            "state_text",
            "state_at",
            "url",
            "image_url",
            "template",
        )

    def get_state_text(self, obj: Badge) -> str:
        """Empty where the badge has no provider."""
        return state_words(obj)

    def get_url(self, obj: Badge) -> str | None:
        """The badge's page at its provider; null where there is none, or not yet."""
        return web_address(obj.url)

    def get_image_url(self, obj: Badge) -> str | None:
        """Null where there is none."""
        return web_address(obj.template.image_url)


class LearnerSerializer(serializers.Serializer[AbstractBaseUser]):
    """A learner, for staff. ``lms_user_id`` is null where it is not known."""

    username = serializers.SerializerMethodField()
    lms_user_id = serializers.SerializerMethodField()

    def get_username(self, obj: AbstractBaseUser) -> str:
        return username_of(obj)

    def get_lms_user_id(self, obj: AbstractBaseUser) -> int | None:
        return getattr(obj, "lms_user_id", None)


class BadgeForStaff(BadgeSerializer):
    """A badge with its learner, in a list for staff."""

    learner = LearnerSerializer(source="user", read_only=True)

    class Meta(BadgeSerializer.Meta):
        fields: tuple[str, ...] = (
            *BadgeSerializer.Meta.fields,
            "learner",
            "external_id",
            "is_public",
            "created",
            "modified",
        )


class WholeBadgeForStaff(BadgeForStaff):
    """The same with what staff did to it by hand: who, when and why."""

    changes = ChangeByHandSerializer(many=True, read_only=True)

    class Meta(BadgeForStaff.Meta):
        fields = (*BadgeForStaff.Meta.fields, "changes")


class RequirementStandingSerializer(serializers.Serializer[Any]):
    """Something to be done. ``fulfilled_at`` is the time of the newest event that says it is."""

    text = serializers.CharField(read_only=True)
    is_fulfilled = serializers.BooleanField(read_only=True)
    fulfilled_at = Time(read_only=True, allow_null=True)


class GroupStandingSerializer(RequirementStandingSerializer):
    """Alternatives, of which one is enough. ``text`` says them all."""

    requirements = RequirementStandingSerializer(many=True, read_only=True)


class HeldBadgeSerializer(serializers.Serializer[Any]):
    """The badge that the learner has of a template, or had."""

    uuid = serializers.UUIDField(read_only=True)
    status = serializers.ChoiceField(choices=Badge.Status.choices, read_only=True)


class StandingSerializer(serializers.Serializer[Standing]):
    """How far a learner is with a badge: every group is needed. ``missing`` says what is still to be done."""

    template = TemplateOfBadge(read_only=True)
    ratio = serializers.FloatField(read_only=True, min_value=0, max_value=1)
    is_complete = serializers.BooleanField(read_only=True)
    badge = HeldBadgeSerializer(read_only=True, allow_null=True)
    missing = serializers.ListField(child=serializers.CharField(), read_only=True)
    groups = GroupStandingSerializer(many=True, read_only=True)


class EarnableSerializer(StandingSerializer):
    """A badge that can be earned: what has to be done, and how far whoever asks is."""

    is_earned = serializers.SerializerMethodField()
    takes_applications = serializers.BooleanField(source="template.takes_applications", read_only=True)

    def get_is_earned(self, obj: Standing) -> bool:
        """Whether the learner holds it. One that was revoked is not earned again."""
        return obj.badge is not None and obj.badge.status == Badge.Status.AWARDED


class ProgressForStaff(StandingSerializer):
    """How far each learner is, in a list for staff."""

    id = serializers.IntegerField(source="progress.pk", read_only=True)
    learner = LearnerSerializer(source="progress.user", read_only=True)
    created = Time(source="progress.created", read_only=True)
    modified = Time(source="progress.modified", read_only=True)


class FulfillmentSerializer(ModelSerializer[Fulfillment]):
    """The newest word on a requirement, and the event that said it. What concerns a person is left out."""

    requirement = serializers.SerializerMethodField()
    evidence = serializers.SerializerMethodField()

    class Meta:
        model = Fulfillment
        fields = ("requirement", "is_fulfilled", "event_type", "event_id", "event_time", "evidence")

    def get_requirement(self, obj: Fulfillment) -> str:
        """In words."""
        return requirement_text(obj.requirement)

    def get_evidence(self, obj: Fulfillment) -> dict[str, Any]:
        """The values of the event that the rules looked at."""
        found = obj.evidence if isinstance(obj.evidence, Mapping) else {}
        return {path: value for path, value in found.items() if not is_personal(obj.event_type, path)}


class WholeProgressForStaff(ProgressForStaff):
    """The same with the events that it comes from."""

    fulfillments = FulfillmentSerializer(source="progress.fulfillments", many=True, read_only=True)
