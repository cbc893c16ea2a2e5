"""Applications in JSON: as their learners see them, and as reviewers do."""

from __future__ import annotations

from typing import Any, TypedDict

from rest_framework import serializers
from rest_framework.reverse import reverse

from badges.models import Application, ApplicationChange, BadgeTemplate, Criterion, Evidence, Review, ReviewItem
from badges.models.users import full_name_of, username_of
from badges.rest_api.fields import ModelSerializer


class CriterionSerializer(ModelSerializer[Criterion]):
    """What applications are reviewed against."""

    class Meta:
        model = Criterion
        fields = ("id", "description", "is_required")


class CriterionForReviewers(ModelSerializer[Criterion]):
    """The same, with the note for reviewers."""

    class Meta:
        model = Criterion
        fields = ("id", "description", "is_required", "note")


class TemplateSerializer(ModelSerializer[BadgeTemplate]):
    """A badge that learners can apply for."""

    criteria = CriterionSerializer(source="review_criteria", many=True, read_only=True)

    class Meta:
        model = BadgeTemplate
        fields = ("uuid", "name", "description", "image_url", "skills", "awards_on_approval", "criteria")


class TemplateName(ModelSerializer[BadgeTemplate]):
    """Which badge template."""

    class Meta:
        model = BadgeTemplate
        fields = ("uuid", "name")


class EvidenceSerializer(ModelSerializer[Evidence]):
    """What a learner shows. ``file`` is the address of the API that hands the file out."""

    file = serializers.SerializerMethodField()

    class Meta:
        model = Evidence
        fields = ("id", "kind", "url", "text", "file", "file_name", "media_type", "reflection", "created")

    def get_file(self, obj: Evidence) -> str | None:
        if obj.kind != Evidence.Kind.FILE:
            return None
        view = self.context["view"]
        arguments = {"pk": obj.application_id, "evidence_id": obj.pk}
        return str(reverse(f"badges:v1:{view.basename}-evidence", kwargs=arguments, request=self.context["request"]))


class ItemSerializer(ModelSerializer[ReviewItem]):
    """What a review says of one criterion, as the criterion was then."""

    class Meta:
        model = ReviewItem
        fields = ("criterion", "description", "is_required", "is_satisfied", "comment")


class ReviewSerializer(ModelSerializer[Review]):
    """A review, without who wrote it."""

    items = ItemSerializer(many=True, read_only=True)

    class Meta:
        model = Review
        fields: tuple[str, ...] = ("id", "is_approved", "comment", "reviewed_at", "items")


class ReviewForReviewers(ReviewSerializer):
    """A review, with who wrote it."""

    author = serializers.SerializerMethodField()

    class Meta(ReviewSerializer.Meta):
        fields = (*ReviewSerializer.Meta.fields, "author")

    def get_author(self, obj: Review) -> str | None:
        return username_of(obj.author) if obj.author is not None else obj.author_email or None


class ChangeSerializer(ModelSerializer[ApplicationChange]):
    """A status that an application came into."""

    class Meta:
        model = ApplicationChange
        fields: tuple[str, ...] = ("status", "at", "note")


class ChangeForReviewers(ChangeSerializer):
    """The same, with who did it; null for the platform."""

    by = serializers.SerializerMethodField()

    class Meta(ChangeSerializer.Meta):
        fields = (*ChangeSerializer.Meta.fields, "by")

    def get_by(self, obj: ApplicationChange) -> str | None:
        return username_of(obj.by) if obj.by is not None else None


class Asked(TypedDict):
    """What is missing, where more is asked."""

    comment: str
    missing: list[dict[str, Any]]


class Applicant(TypedDict):
    """A learner who applies; without a username where the application is a copy, and the learner not known here."""

    username: str | None
    name: str
    email: str


COMMON = ("id", "template", "status", "submitted_at", "processed_at")
WHOLE = ("statement", "note", "evidence", "reviews", "history")


class ApplicationInList(ModelSerializer[Application]):
    """An application in its learner's list."""

    template = TemplateName(read_only=True)

    class Meta:
        model = Application
        fields: tuple[str, ...] = COMMON


class ApplicationSerializer(ApplicationInList):
    """The whole of an application, for its learner. ``asked`` says what is missing where more is asked."""

    evidence = EvidenceSerializer(many=True, read_only=True)
    reviews = ReviewSerializer(many=True, read_only=True)
    history = ChangeSerializer(source="changes", many=True, read_only=True)
    asked = serializers.SerializerMethodField()

    class Meta(ApplicationInList.Meta):
        fields = (*COMMON, *WHOLE, "asked")

    def get_asked(self, obj: Application) -> Asked | None:
        if obj.status != Application.Status.RETURNED:
            return None
        last = max(obj.reviews.all(), key=lambda review: (review.reviewed_at, review.pk), default=None)
        if last is None:
            return None
        missing = [item for item in last.items.all() if not item.is_satisfied]
        return {"comment": last.comment, "missing": [*ItemSerializer(missing, many=True).data]}


class ApplicationInReviewersList(ApplicationInList):
    """An application in the list of those who decide."""

    learner = serializers.SerializerMethodField()
    assigned_to = serializers.SerializerMethodField()
    origin = serializers.SerializerMethodField()

    class Meta(ApplicationInList.Meta):
        fields: tuple[str, ...] = (*COMMON, "learner", "assigned_to", "origin")

    def get_learner(self, obj: Application) -> Applicant:
        if obj.user is None:
            return {"username": None, "name": "", "email": obj.learner_email}
        email = str(getattr(obj.user, obj.user.get_email_field_name(), "") or "")
        return {"username": username_of(obj.user), "name": full_name_of(obj.user), "email": email}

    def get_assigned_to(self, obj: Application) -> str | None:
        return username_of(obj.assigned_to) if obj.assigned_to is not None else None

    def get_origin(self, obj: Application) -> str | None:
        """The name of the BadgeKit system that it is a copy from."""
        return obj.account.name if obj.account is not None else None


class ApplicationForReviewers(ApplicationInReviewersList):
    """The whole of an application, for those who decide."""

    evidence = EvidenceSerializer(many=True, read_only=True)
    reviews = ReviewForReviewers(many=True, read_only=True)
    history = ChangeForReviewers(source="changes", many=True, read_only=True)
    criteria = CriterionForReviewers(source="template.review_criteria", many=True, read_only=True)

    class Meta(ApplicationInReviewersList.Meta):
        fields = (*ApplicationInReviewersList.Meta.fields, *WHOLE, "criteria")
