"""``manage.py reencrypt_api_keys``: encrypt every stored secret with the present first secret of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from badges.exceptions import ConfigurationError
from badges.models.fields import EncryptedTextField


class Command(BaseCommand):
    """The second step of changing ``BADGES_ENCRYPTION_KEYS``; after it the old secret can be taken out."""

    help = (
        "Encrypt every stored API key and webhook secret with the first secret of BADGES_ENCRYPTION_KEYS. To change "
        "the secret: put the new one first and keep the old one after it, run this, then take the old one out. Exits "
        "with 1 if something can be decrypted with none of them; the others are encrypted anew all the same."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done, failures = 0, []
        for model, names in _encrypted():
            for pk in model._default_manager.order_by("pk").values_list("pk", flat=True):
                with transaction.atomic():
                    row = model._default_manager.select_for_update().filter(pk=pk).first()
                    for name in names if row is not None else ():
                        try:
                            secret = getattr(row, name)
                        except ConfigurationError as error:
                            failures.append(f"{model._meta.verbose_name} {pk}, {name}: {error}")
                            continue
                        if secret:
                            # By itself: another one of this row may be one that cannot be decrypted.
                            model._default_manager.filter(pk=pk).update(**{name: str(secret)})
                            done += 1
        self.stdout.write(f"{done} API keys and secrets are encrypted with the first secret now.")
        if failures:
            raise CommandError("\n".join(failures))


def _encrypted() -> Iterator[tuple[type[models.Model], list[str]]]:
    """The models of this app that hold secrets, and their fields."""
    for model in apps.get_app_config("badges").get_models():
        names = [field.name for field in model._meta.local_fields if isinstance(field, EncryptedTextField)]
        if names and not model._meta.proxy:
            yield model, names
