"""``manage.py reencrypt_api_keys``: encrypt every stored API key with the present first secret."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from badges.exceptions import ConfigurationError
from badges.models import ProviderAccount


class Command(BaseCommand):
    """The second step of changing ``BADGES_ENCRYPTION_KEYS``; after it the old secret can be taken out."""

    help = (
        "Encrypt every stored API key with the first secret of BADGES_ENCRYPTION_KEYS. To change the secret: put the "
        "new one first and keep the old one after it, run this, then take the old one out. Exits with 1 if a key can "
        "be decrypted with none of them; the others are encrypted anew all the same."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done, failures = 0, []
        for pk in ProviderAccount.objects.order_by("pk").values_list("pk", flat=True):
            with transaction.atomic():
                account = ProviderAccount.objects.select_for_update().filter(pk=pk).first()
                if account is None:
                    continue
                try:
                    key = account.api_key
                except ConfigurationError as error:
                    failures.append(f"{account.provider} account {account.pk}: {error}")
                    continue
                if key:
                    account.api_key = key
                    account.save(update_fields=["api_key", "modified"])
                    done += 1
        self.stdout.write(f"{done} API keys are encrypted with the first secret now.")
        if failures:
            raise CommandError("\n".join(failures))
