"""A text field that is encrypted in the database.

The keys come from ``BADGES_ENCRYPTION_KEYS`` (any strings, the first one encrypts, all of them decrypt). Without
that setting the field falls back on ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from badges.exceptions import AccountUnusable, ConfigurationError

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField

_PREFIX = "enc1:"


def encryption_secrets() -> list[str]:
    """The secrets in force, the one that encrypts first.

    Raises:
        ConfigurationError: ``BADGES_ENCRYPTION_KEYS`` is not a list of non-empty strings.
    """
    # .. setting_name: BADGES_ENCRYPTION_KEYS
    # .. setting_default: [] (SECRET_KEY and SECRET_KEY_FALLBACKS are used)
    # .. setting_description: Secrets that encrypt providers' API keys in the database. The first encrypts, all decrypt.
    configured = getattr(settings, "BADGES_ENCRYPTION_KEYS", None)
    if not configured:
        return [str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    if not isinstance(configured, list | tuple) or not all(isinstance(key, str) and key for key in configured):
        raise ConfigurationError("BADGES_ENCRYPTION_KEYS must be a list of non-empty strings.")
    return list(configured)


def _cipher() -> MultiFernet:
    digests = (hashlib.sha256(b"badges.api-key:" + secret.encode()).digest() for secret in encryption_secrets())
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def encrypt(value: str) -> str:
    """Encrypt a text with the first secret. An empty text stays empty."""
    return f"{_PREFIX}{_cipher().encrypt(value.encode()).decode()}" if value else ""


def decrypt(stored: str) -> str:
    """Decrypt what :func:`encrypt` gave, with any of the secrets.

    Raises:
        AccountUnusable: none of the secrets fits.
    """
    if not stored:
        return ""
    try:
        return _cipher().decrypt(stored.removeprefix(_PREFIX).encode()).decode()
    except InvalidToken as error:
        raise AccountUnusable(
            "A stored API key cannot be decrypted with the present BADGES_ENCRYPTION_KEYS (or SECRET_KEY). "
            "Put the former key back at the end of the list, or enter the API key again in the admin."
        ) from error


class Secret(str):
    """A decrypted text that does not show itself when printed by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'" if self else "''"


class Encrypted(str):
    """A text as it stands in the database, not decrypted yet: a row must load even when its key is lost."""

    __slots__ = ()


class _EncryptedDescriptor:
    """Decrypts when the attribute is read, so that a lost key breaks the one who needs it and no list page."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        if self.name not in instance.__dict__:
            instance.refresh_from_db(fields=[self.name])
        value = instance.__dict__[self.name]
        return Secret(decrypt(value)) if isinstance(value, Encrypted) else value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.name] = value if isinstance(value, Encrypted) else Secret(value or "")


class EncryptedTextField(_TextField):
    """Text that is encrypted in the database and decrypted when it is read. It cannot be searched."""

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        setattr(cls, self.attname, _EncryptedDescriptor(self.attname))

    def from_db_value(self, value: str | None, expression: object, connection: BaseDatabaseWrapper) -> str | None:
        return None if value is None else Encrypted(value)

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value if value is None or isinstance(value, Encrypted) else encrypt(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return model_instance.__dict__.get(self.attname, "")

    def value_to_string(self, obj: models.Model) -> str:
        """Nothing: a fixture must not hold a key, not even an encrypted one."""
        return ""

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None
