"""Credentials in the admin."""

from django.contrib import admin

from credentials.apps.credentials.models import CourseCertificate, UserCredential

admin.site.register(CourseCertificate)


@admin.register(UserCredential)
class UserCredentialAdmin(admin.ModelAdmin):
    """Who has what."""

    list_display = ("username", "credential_content_type", "credential_id", "status", "uuid")
    list_filter = ("status",)
    search_fields = ("username",)
