"""Users."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A user with a full name, and the id that the LMS knows."""

    full_name = models.CharField(max_length=255, blank=True, null=True, db_index=True)
    lms_user_id = models.IntegerField(blank=True, null=True, db_index=True)

    def get_full_name(self) -> str:
        """The full name; first and last name where there is none."""
        return self.full_name or super().get_full_name()
