"""What clients send about applications."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.files import File
from django.utils.translation import gettext, gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request

from badges.applications.evidence import NewEvidence
from badges.applications.reviewing import Judgement
from badges.models import BadgeTemplate, Evidence
from badges.privacy.people import LMS_USER_ID, knows_lms_user_ids, named
from badges.rest_api.fields import Time
from badges.rest_api.v1.sites import is_here

LARGEST_ID = 2**63 - 1


class Text(serializers.CharField):
    """A text; a number or a truth value is none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class EvidenceInput(serializers.Serializer[Any]):
    """A link or a text; files come as parts of a form."""

    kind = serializers.ChoiceField(choices=[Evidence.Kind.LINK.value, Evidence.Kind.TEXT.value])
    url = Text(required=False, default="", allow_blank=True)
    text = Text(required=False, default="", allow_blank=True)
    reflection = Text(required=False, default="", allow_blank=True)


class HandedIn(serializers.Serializer[Any]):
    """What is handed in with an application, the first time or again. ``statement`` may be absent."""

    statement = Text(required=False, allow_blank=True)
    evidence = EvidenceInput(many=True, required=False, default=list)
    files = serializers.ListField(child=serializers.FileField(), required=False, default=list)


class NewApplication(HandedIn):
    """An application of whoever asks."""

    template = serializers.SlugRelatedField(
        slug_field="uuid",
        queryset=BadgeTemplate.objects.filter(takes_applications=True, is_active=True),
        error_messages={
            "does_not_exist": gettext_lazy("There is no such badge to apply for."),
            "invalid": gettext_lazy("This is not a UUID."),
        },
    )

    def validate_template(self, value: BadgeTemplate) -> BadgeTemplate:
        """It is one of this site."""
        if not BadgeTemplate.objects.filter(is_here(self.context["request"]), pk=value.pk).exists():
            raise serializers.ValidationError(gettext("There is no such badge to apply for."))
        return value


class NewApplicationForLearner(NewApplication):
    """An application for a learner, who is named by username."""

    learner = Text()

    def validate_template(self, value: BadgeTemplate) -> BadgeTemplate:
        """It may be one of any site."""
        return value

    def validate_learner(self, value: str) -> Any:
        return user_named(value)


class ReviewItemInput(serializers.Serializer[Any]):
    """What is said of one criterion."""

    criterion = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    is_satisfied = serializers.BooleanField()
    comment = Text(required=False, default="", allow_blank=True)


class ReviewInput(serializers.Serializer[Any]):
    """A review. ``submitted_at``, if it is there, is that of the application that the reviewer has read."""

    approves = serializers.BooleanField()
    comment = Text(required=False, default="", allow_blank=True)
    items = ReviewItemInput(many=True, required=False, default=list)
    submitted_at = Time(required=False, default=None, allow_null=True)


class ReasonInput(serializers.Serializer[Any]):
    """Why."""

    reason = Text(required=False, default="", allow_blank=True)


class AssignmentInput(serializers.Serializer[Any]):
    """To whom, by username; null for nobody."""

    assigned_to = Text(allow_null=True)

    def validate_assigned_to(self, value: str | None) -> Any:
        return user_named(value) if value is not None else None


def lms_id_column() -> str:
    """Where users have their id in the LMS; their own id where they have none, as in messages to providers."""
    return LMS_USER_ID if knows_lms_user_ids() else "pk"


def user_named(username: str) -> Any:
    """The active user with exactly this username.

    Raises:
        ValidationError: there is none.
    """
    found = named(username)
    if found is None or not found.is_active:
        raise serializers.ValidationError(gettext("There is no active user with this username."))
    return found


def input_of(request: Request) -> Any:
    """The input of a request: JSON; or a form, whose part ``evidence`` is JSON, with any number of parts ``files``.

    Raises:
        ValidationError: the JSON of the form cannot be read.
    """
    files = request.FILES.getlist("files")
    data: Any = request.data
    if not hasattr(data, "getlist"):
        return data
    values = {name: data.get(name) for name in data if name not in ("files", "evidence")}
    if "evidence" in data:
        values["evidence"] = _json(str(data.get("evidence")))
    return {**values, "files": files}


def evidence_of(data: Mapping[str, Any]) -> list[NewEvidence]:
    """The evidence of checked input: links and texts, then the files."""
    told = [NewEvidence(**one) for one in data["evidence"]]
    return [*told, *(NewEvidence(Evidence.Kind.FILE.value, file=file) for file in _uploaded(data["files"]))]


def judgements_of(data: Mapping[str, Any]) -> list[Judgement]:
    """What a checked review says of each criterion."""
    return [Judgement(one["criterion"], one["is_satisfied"], one["comment"]) for one in data["items"]]


def _uploaded(files: list[Any]) -> list[File[Any]]:
    return [file for file in files if isinstance(file, File)]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise serializers.ValidationError({"evidence": [gettext("This is not valid JSON.")]}) from error
