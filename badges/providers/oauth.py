"""OAuth 2 client credentials (RFC 6749, 4.4): a client's id and secret give a token, which is kept until it expires."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from attrs import field, frozen

from badges.conf import HTTPSettings
from badges.exceptions import ConfigurationError, ProviderAuthError, ProviderRejected, UnexpectedAnswer
from badges.providers.answers import Record, number, text
from badges.providers.http import ApiConnection, Call

WITHOUT_LIFETIME = 1800.0
"""Seconds that a token is used whose answer does not say how long it lasts."""
MARGIN = 60.0
"""Seconds before its end at which a token is no longer used; of a short-lived one, a tenth of its time."""
MOST_TOKENS = 500
_TOKEN = re.compile(r"[!-~]{1,8192}")

R = TypeVar("R")


@frozen
class Token:
    """What is sent instead of a key."""

    value: str = field(repr=False)
    ends: float
    """By the monotonic clock."""


class TokenStore:
    """The tokens of this process. They are secrets, so they are kept nowhere else."""

    def __init__(self) -> None:
        """Without any token."""
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._fetching: dict[str, threading.Lock] = {}

    def get(self, name: str) -> Token | None:
        """The token of this name that has not expired."""
        with self._lock:
            token = self._tokens.get(name)
            return token if token is not None and token.ends > time.monotonic() else None

    def put(self, name: str, token: Token) -> None:
        """Keep a token; the one that was fetched longest ago makes room for it."""
        with self._lock:
            self._tokens[name] = token
            self._tokens.move_to_end(name)
            while len(self._tokens) > MOST_TOKENS:
                dropped, _ = self._tokens.popitem(last=False)
                self._fetching.pop(dropped, None)

    def forget(self, name: str, token: Token) -> None:
        """Forget this token; not a newer one of the same name."""
        with self._lock:
            if self._tokens.get(name) == token:
                del self._tokens[name]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._tokens.clear()

    def lock_for(self, name: str) -> threading.Lock:
        """Who holds it fetches the token of this name, so that the others need not."""
        with self._lock:
            return self._fetching.setdefault(name, threading.Lock())


tokens = TokenStore()


class ClientCredentials:
    """An OAuth client of a provider."""

    def __init__(
        self, *, provider: str, token_url: str, client_id: str, secret: str, scope: str, timeouts: HTTPSettings
    ) -> None:
        """
        Arguments:
            provider: the provider's name, for errors.
            token_url: where tokens are given.
            client_id: the client.
            secret: its secret.
            scope: what the token is to be good for, as the provider names it.
            timeouts: as for every call.

        Raises:
            ConfigurationError: the address is not an http(s) URL.
        """
        if not token_url:
            raise ConfigurationError(
                f"{provider}'s OAUTH_TOKEN_URL in BADGES_CONFIG is empty, and an account of it has an OAuth client id."
            )
        base_url, _, self._last = token_url.rstrip("/").rpartition("/")
        self._api = ApiConnection(
            provider=provider, base_url=base_url, authorization="", secrets=(secret,), timeouts=timeouts
        )
        self._provider = provider
        self._form = {
            "client_id": client_id,
            "client_secret": secret,
            "grant_type": "client_credentials",
            "scope": scope,
        }
        self._patience = timeouts.connect_timeout + timeouts.read_timeout
        # Hashed, so that the name of a token gives no secret away; of all, so that another secret is another token.
        parts = (token_url, client_id, secret, scope)
        self._name = hashlib.sha256("\n".join(map(repr, parts)).encode(errors="surrogatepass")).hexdigest()

    def with_token(self, work: Callable[[str], R]) -> R:
        """Do something with a token. One that was kept and is refused with 401 is replaced by a new one, once.

        After any other refusal the next call asks for a new one: what a client may do stands in its token, so a scope
        that was widened meanwhile is not in the present one.

        Arguments:
            work: what is to be done; takes the token.

        Raises:
            ProviderAuthError: the client or its new token was refused.
            ProviderError: no token could be had; or what ``work`` raises.
        """
        kept = tokens.get(self._name)
        if kept is not None:
            try:
                return work(kept.value)
            except ProviderAuthError as refusal:
                tokens.forget(self._name, kept)
                if refusal.status_code != 401:
                    raise
        token = self._new_token()
        try:
            return work(token.value)
        except ProviderAuthError:
            tokens.forget(self._name, token)
            raise

    def _new_token(self) -> Token:
        lock = tokens.lock_for(self._name)
        # Whoever waited in vain asks by itself: no thread waits longer than for one call.
        is_mine = lock.acquire(timeout=self._patience)
        try:
            token = tokens.get(self._name)
            if token is None:
                token = self._fetch()
                tokens.put(self._name, token)
            return token
        finally:
            if is_mine:
                lock.release()

    def _fetch(self) -> Token:
        call = Call("POST", (self._last,), "asking for an access token", form=self._form, answers_secret=True)
        began = time.monotonic()
        try:
            answer = self._api.call(call)
        except ProviderRejected as refusal:
            # Whatever it is (invalid_client, invalid_scope, a wrong address): no call works until somebody mends it.
            raise ProviderAuthError(
                f"{refusal} Check the OAuth client id and its secret, and what the client may do.",
                status_code=refusal.status_code,
            ) from None
        value = text(answer, "access_token")
        if not _TOKEN.fullmatch(value) or text(answer, "token_type").lower() not in ("", "bearer"):
            raise UnexpectedAnswer(f"{self._provider} answered no access token that can be used. Check its URLs.")
        return Token(value, began + _lifetime(answer))


def _lifetime(answer: Record) -> float:
    lasts = number(answer, "expires_in")
    if lasts is None:
        return WITHOUT_LIFETIME
    return max(0.0, lasts - min(MARGIN, lasts / 10))
