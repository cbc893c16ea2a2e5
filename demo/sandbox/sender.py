"""Posts what is in the outbox to the organizations' webhook addresses, as Credly does."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO

from demo.sandbox.outbox import Post
from demo.sandbox.store import Store

SENDERS = 4
"""Threads: a receiver that is slow keeps one of them busy."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer that is not 200."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Sender:
    """The threads that post, until they are stopped."""

    def __init__(self, store: Store) -> None:
        """
        Arguments:
            store: where the outbox is, and the addresses.
        """
        self._store = store
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        """Begin to post."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Post nothing more; a post that waits for its answer is left to itself."""
        self._store.outbox.close()

    def _work(self) -> None:
        outbox = self._store.outbox
        while (post := outbox.take()) is not None:
            outbox.answered(post, self._send(post))

    def _send(self, post: Post) -> int | None:
        """Post it; gives the status of the answer, or None where there was none."""
        with self._store.lock:
            # The address as it is now: whoever corrected it wants retries there.
            url = self._store.organizations.get(post.organization_id, {}).get("webhook_url")
        if not url:
            return None
        request = urllib.request.Request(
            url, data=post.body, method="POST", headers={"Content-Type": "application/json", "User-Agent": "Sandbox"}
        )
        try:
            with self._opener.open(request, timeout=self._store.outbox.options.timeout) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except (OSError, HTTPException, ValueError):
            return None
