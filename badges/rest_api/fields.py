"""Fields that are the same in every project, whatever its ``REST_FRAMEWORK`` says of formats."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from rest_framework import ISO_8601, serializers

M = TypeVar("M", bound=models.Model)


class Time(serializers.DateTimeField):
    """A time with its offset and its microseconds, as ISO 8601 has it.

    The Credentials service has a ``DATETIME_FORMAT`` of whole seconds with a fixed ``Z``. Times of this API are given
    back to it, as what a reviewer has read, and compared.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"format": ISO_8601, "input_formats": [ISO_8601], **kwargs})


class ModelSerializer(serializers.ModelSerializer[M]):
    """Tells what is stored."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, models.DateTimeField: Time}
