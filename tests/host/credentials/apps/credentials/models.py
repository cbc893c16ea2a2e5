"""Credentials, and who has them."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.db import models


class TimeStampedModel(models.Model):
    """Something with two times."""

    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        get_latest_by = "modified"


class CourseCertificate(TimeStampedModel):
    """A credential that has nothing to do with badges."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    is_active = models.BooleanField(default=False)
    course_id = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.course_id


class UserCredential(TimeStampedModel):
    """A credential that somebody was given."""

    AWARDED, REVOKED = "awarded", "revoked"

    credential_content_type = models.ForeignKey(
        ContentType,
        on_delete=models.CASCADE,
        limit_choices_to={
            "model__in": ("coursecertificate", "programcertificate", "credlybadgetemplate", "accrediblegroup")
        },
    )
    credential_id = models.PositiveIntegerField()
    credential = GenericForeignKey("credential_content_type", "credential_id")
    username = models.CharField(max_length=255, db_index=True)
    status = models.CharField(max_length=255, choices=[(AWARDED, AWARDED), (REVOKED, REVOKED)], default=AWARDED)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)

    class Meta(TimeStampedModel.Meta):
        unique_together = (("username", "credential_content_type", "credential_id"),)

    def __str__(self) -> str:
        return f"{self.uuid}"
