"""Applications: a learner asks for a badge, with evidence."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core.files.storage import Storage, default_storage, storages
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.models.accounts import ProviderAccount
from badges.models.base import TimeStamped
from badges.models.templates import BadgeTemplate


def new_slug() -> str:
    """An identifier that tells nothing and cannot be guessed."""
    return secrets.token_hex(12)


def evidence_storage() -> Storage:
    """Where uploaded evidence is kept: the storage ``badges_evidence`` of ``STORAGES``, else the default one."""
    name = "badges_evidence"
    return storages[name] if name in getattr(settings, "STORAGES", {}) else default_storage


class Criterion(models.Model):
    """What an application for a template is reviewed against.

    .. no_pii:
    """

    template = models.ForeignKey(
        BadgeTemplate, verbose_name=_("badge template"), on_delete=models.CASCADE, related_name="review_criteria"
    )
    # BadgeKit's own number; None for one that staff made here.
    external_id = models.PositiveBigIntegerField(_("identifier at BadgeKit"), null=True, blank=True, editable=False)
    description = models.TextField(_("description"))
    is_required = models.BooleanField(
        _("required"), default=True, help_text=_("An application is approved only if it satisfies all required ones.")
    )
    note = models.TextField(_("note for reviewers"), blank=True, default="")
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        db_table = "badging_criterion"
        verbose_name = _("criterion")
        verbose_name_plural = _("criteria")
        ordering = ("template", "position", "id")
        constraints = [models.UniqueConstraint(fields=["template", "external_id"], name="badging_criterion_external")]

    def __str__(self) -> str:
        return self.description


class Application(TimeStamped):
    """An application of a learner for a badge; of one at a BadgeKit system, a copy.

    .. pii: The learner, or the learner's e-mail address where the learner is not known here; what the learner wrote.
        Deleted with the user, or with the learner's retirement.
    .. pii_types: id, email_address, other
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """How far it is."""

        SUBMITTED = "submitted", _("to be reviewed")
        RETURNED = "returned", _("more is asked of the learner")
        APPROVED = "approved", _("approved, to be awarded")
        AWARDED = "awarded", _("awarded")
        WITHDRAWN = "withdrawn", _("withdrawn")
        CLOSED = "closed", _("closed")

    OPEN = (Status.SUBMITTED, Status.RETURNED, Status.APPROVED)

    slug = models.CharField(_("identifier"), max_length=255, default=new_slug, editable=False)
    template = models.ForeignKey(
        BadgeTemplate, verbose_name=_("badge template"), on_delete=models.PROTECT, related_name="applications"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="badge_applications",
    )
    # The system that it came from; None for one that was made here.
    account = models.ForeignKey(
        ProviderAccount,
        verbose_name=_("BadgeKit system"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="applications",
    )
    external_id = models.PositiveBigIntegerField(_("identifier at BadgeKit"), null=True, blank=True, editable=False)
    learner_email = models.EmailField(
        _("learner's e-mail address"), blank=True, default="", help_text=_("Where the learner is not known here.")
    )
    statement = models.TextField(_("statement"), blank=True, default="")
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.SUBMITTED)
    # True or NULL: NULLs do not collide, so that a learner has one open application for a template, on any database.
    # NULL for copies, of which BadgeKit may have several.
    open_marker = models.BooleanField(null=True, default=True, editable=False)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assigned to"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    submitted_at = models.DateTimeField(_("submitted at"))
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True, default="", help_text=_("Why it was closed."))

    class Meta:
        db_table = "badging_application"
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        ordering = ("-id",)
        permissions = [("review_application", "Can review applications")]
        constraints = [
            models.UniqueConstraint(fields=["user", "template", "open_marker"], name="badging_application_open"),
            models.UniqueConstraint(fields=["account", "slug"], name="badging_application_slug"),
        ]
        indexes = [models.Index(fields=["status", "submitted_at"], name="badging_application_status")]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.open_marker = True if self.is_open and not self.is_copy else None
        if (fields := kwargs.get("update_fields")) is not None and "status" in fields:
            kwargs["update_fields"] = {*fields, "open_marker"}
        super().save(*args, **kwargs)

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.status in self.OPEN

    @property
    def is_copy(self) -> bool:
        """Whether it is handed in and reviewed at a BadgeKit system."""
        return self.account_id is not None


class ApplicationChange(models.Model):
    """A status that an application came into: its history.

    .. pii: Who changed it, and what they wrote of it. Deleted with the application.
    .. pii_types: id, other
    .. pii_retirement: local_api
    """

    application = models.ForeignKey(
        Application, verbose_name=_("application"), on_delete=models.CASCADE, related_name="changes"
    )
    status = models.CharField(_("status"), max_length=16, choices=Application.Status.choices)
    at = models.DateTimeField(_("when"), default=timezone.now)
    # None for the platform itself, and for whoever is not here any more.
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    note = models.TextField(_("note"), blank=True, default="")

    class Meta:
        db_table = "badging_applicationchange"
        verbose_name = _("change of an application")
        verbose_name_plural = _("changes of applications")
        ordering = ("application", "id")

    def __str__(self) -> str:
        return self.get_status_display()


class Evidence(models.Model):
    """What a learner shows with an application.

    .. pii: What a learner wrote, linked to or uploaded. Deleted with the application, the file from its storage, too.
    .. pii_types: other
    .. pii_retirement: local_api
    """

    class Kind(models.TextChoices):
        """What it is."""

        LINK = "link", _("link")
        TEXT = "text", _("text")
        FILE = "file", _("file")

    application = models.ForeignKey(
        Application, verbose_name=_("application"), on_delete=models.CASCADE, related_name="evidence"
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    url = models.URLField(_("link"), max_length=1000, blank=True, default="")
    text = models.TextField(_("text"), blank=True, default="")
    file = models.FileField(_("file"), upload_to="badging/evidence/", storage=evidence_storage, blank=True, default="")
    file_name = models.CharField(_("name of the file"), max_length=255, blank=True, default="")
    media_type = models.CharField(_("media type"), max_length=100, blank=True, default="")
    reflection = models.TextField(_("reflection"), blank=True, default="")
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        db_table = "badging_evidence"
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ("application", "id")

    def __str__(self) -> str:
        return self.get_kind_display()


def delete_evidence_file(sender: type[models.Model], instance: Evidence, using: str, **kwargs: object) -> None:
    """Receiver of ``post_delete``: the file goes with its row, whoever deletes it, once that is committed."""
    if name := instance.file.name:
        storage = instance.file.storage

        # A function, not a partial: Django names a callback that failed, and a partial has no name.
        def delete_file() -> None:
            storage.delete(name)

        transaction.on_commit(delete_file, using=using, robust=True)


class Review(TimeStamped):
    """One judgement of an application. One that was made here never changes; an update from BadgeKit changes its copy.

    .. pii: The reviewer, or the reviewer's e-mail address at BadgeKit; what the reviewer wrote of the learner. Deleted
        with the application; the reviewer's address is removed with the reviewer's retirement.
    .. pii_types: id, email_address, other
    .. pii_retirement: local_api
    """

    application = models.ForeignKey(
        Application, verbose_name=_("application"), on_delete=models.CASCADE, related_name="reviews"
    )
    slug = models.CharField(_("identifier"), max_length=255, default=new_slug, editable=False)
    external_id = models.PositiveBigIntegerField(_("identifier at BadgeKit"), null=True, blank=True, editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("reviewer"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    author_email = models.EmailField(_("reviewer's e-mail address"), blank=True, default="")
    comment = models.TextField(_("comment"), blank=True, default="")
    is_approved = models.BooleanField(_("approved"), default=False)
    reviewed_at = models.DateTimeField(_("reviewed at"))

    class Meta:
        db_table = "badging_review"
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ("application", "id")
        constraints = [models.UniqueConstraint(fields=["application", "slug"], name="badging_review_slug")]

    def __str__(self) -> str:
        return self.slug


class ReviewItem(models.Model):
    """What a review says of one criterion, as the criterion was then.

    .. pii: What the reviewer wrote of the learner. Deleted with the application.
    .. pii_types: other
    .. pii_retirement: local_api
    """

    review = models.ForeignKey(Review, verbose_name=_("review"), on_delete=models.CASCADE, related_name="items")
    criterion = models.ForeignKey(
        Criterion, verbose_name=_("criterion"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    criterion_external_id = models.PositiveBigIntegerField(_("identifier at BadgeKit"), null=True, blank=True)
    description = models.TextField(_("description"), blank=True, default="")
    is_required = models.BooleanField(_("required"), default=False)
    is_satisfied = models.BooleanField(_("satisfied"), default=False)
    comment = models.TextField(_("comment"), blank=True, default="")

    class Meta:
        db_table = "badging_reviewitem"
        verbose_name = _("review item")
        verbose_name_plural = _("review items")
        ordering = ("review", "id")

    def __str__(self) -> str:
        return self.description
