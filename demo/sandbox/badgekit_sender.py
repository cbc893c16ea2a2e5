"""BadgeKit's system callbacks as its code sends them: once, signed over the body alone, and never again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from collections import deque

from demo.sandbox.messages import Json

MOST_KEPT = 1000
TIMEOUT = 30.0


class Sender:
    """Sends messages, each in a thread of its own: nothing keeps them in order."""

    def __init__(self) -> None:
        self.sent: deque[Json] = deque(maxlen=MOST_KEPT)
        """Of each message its action, and the status of the answer; 0 where there was none."""

    def send(self, hook: Json | None, message: Json) -> None:
        """Send a message to a system's webhook, where it has one; whatever comes of it, that was all."""
        if hook:
            threading.Thread(target=self._send, args=(dict(hook), message), daemon=True).start()

    def _send(self, hook: Json, message: Json) -> None:
        # Without blanks, as JSON.stringify writes it.
        body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
        request = urllib.request.Request(hook["url"], data=body, method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f'JWT token="{signed(body, hook["secret"])}"')
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        except (OSError, ValueError):
            status = 0
        self.sent.append({"action": message["action"], "status": status})


def signed(body: bytes, secret: str) -> str:
    """The token of a message: it says nothing but the hash of the body."""
    claims = {"body": {"alg": "sha256", "hash": hashlib.sha256(body).hexdigest()}}
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in ({"typ": "JWT", "alg": "HS256"}, claims))
    head = b".".join(_encoded(part) for part in parts)
    return b".".join((head, _encoded(hmac.digest(secret.encode(), head, "sha256")))).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")
