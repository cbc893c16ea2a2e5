"""Learners, reviewers and staff, and what they hand in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile

from badges.applications.evidence import NewEvidence
from tests.factories import UserFactory

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def person(*permissions: str, **values: Any) -> Any:
    """A user with these permissions and no others, read anew: permissions are kept on the object."""
    user = UserFactory(**values)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="badges", codename__in=permissions))
    return type(user)._default_manager.get(pk=user.pk)


def reviewer(**values: Any) -> Any:
    return person("review_application", **values)


def manager(**values: Any) -> Any:
    return person("change_application", "review_application", **values)


def link(url: str = "https://example.com/work", **values: Any) -> NewEvidence:
    return NewEvidence("link", url=url, **values)


def text(words: str = "I did it.", **values: Any) -> NewEvidence:
    return NewEvidence("text", text=words, **values)


def upload(content: bytes = PNG, name: str = "work.png", content_type: str = "image/png") -> NewEvidence:
    return NewEvidence("file", file=SimpleUploadedFile(name, content, content_type))
