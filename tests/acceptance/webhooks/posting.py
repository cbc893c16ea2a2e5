"""The posts: of each true event one, of some two, and forged ones among them; and those who post them."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import queue
import random
import threading
import time
import uuid
from collections import Counter
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import define, field, frozen

from demo.sandbox.seed import LARGE_ORGANIZATION_ID

DUPLICATES, FORGED = 0.20, 0.05
"""Shares of all posts."""
UNKNOWN = "f0f0f0f0-"
"""With what the identifiers of events begin that never were."""
THREADS = 8
TIMEOUT = 20.0
PAUSE = 0.05
PATIENCE = 400.0
_fork = multiprocessing.get_context("fork")


@frozen
class Addresses:
    """Where is posted to."""

    proven: str
    """With the account's secret: what was entered at Credly."""
    on_trial: str
    """Without one, as operators of the built-in module have it."""


@frozen
class Post:
    """One post."""

    url: str = field(repr=False)
    body: str
    is_forged: bool = False


@define
class Answers:
    """What came back."""

    genuine: Counter[str] = field(factory=Counter)
    """Answer -> how often; of a post that had to be repeated, each time."""
    forged: Counter[str] = field(factory=Counter)
    unanswered: int = 0
    """Genuine posts that never got a 200."""


def posts(events: list[dict[str, Any]], addresses: Addresses, dice: random.Random) -> list[Post]:
    """All posts, in disorder."""
    total = round(len(events) / (1 - DUPLICATES - FORGED))
    repeated = dice.choices(events, k=round(total * DUPLICATES))
    genuine = [Post(addresses.proven, json.dumps(event)) for event in (*events, *repeated)]
    # Some organizations still have the address without a secret.
    genuine = [Post(addresses.on_trial, one.body) if dice.random() < 0.05 else one for one in genuine]
    every = [*genuine, *(_forged(events, addresses, dice) for _ in range(round(total * FORGED)))]
    dice.shuffle(every)
    return every


def _forged(events: list[dict[str, Any]], addresses: Addresses, dice: random.Random) -> Post:
    event = dice.choice(events)
    unknown = {
        **event,
        "id": f"{UNKNOWN}{str(uuid.UUID(int=dice.getrandbits(128)))[9:]}",
        "event_type": "badge.deleted",
    }
    lying = {**event, "event_type": "badge.deleted", "occurred_at": "2999-01-01T00:00:00Z"}
    wrong = f"{addresses.proven.rstrip('/')[:-1]}_/"
    return dice.choice(
        [
            Post(addresses.on_trial, json.dumps(unknown), is_forged=True),
            Post(wrong, json.dumps(unknown), is_forged=True),
            Post(wrong, json.dumps(lying), is_forged=True),
            Post(addresses.on_trial, json.dumps(lying), is_forged=True),
            Post(addresses.on_trial, json.dumps({**lying, "organization_id": LARGE_ORGANIZATION_ID}), is_forged=True),
            Post(addresses.proven, json.dumps({**unknown, "organization_id": LARGE_ORGANIZATION_ID}), is_forged=True),
            Post(addresses.on_trial, json.dumps(unknown)[:-1], is_forged=True),
        ]
    )


class Posting:
    """A process that posts them all, from several threads. What is not answered with 200 is posted again."""

    def __init__(self, every: list[Post]) -> None:
        self._here, there = _fork.Pipe(duplex=False)
        self._process = _fork.Process(target=_post_all, args=(every, there), daemon=True)
        self._answers: Answers | None = None

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def is_over(self) -> bool:
        """Whether every post was made."""
        if self._answers is None and self._here.poll():
            self._answers = self._here.recv()
        if self._answers is None and not self._process.is_alive():
            raise RuntimeError("Who posts has died.")
        return self._answers is not None

    def answers(self) -> Answers:
        """What came back, when it is over."""
        assert self._answers is not None
        return self._answers


def _post_all(every: list[Post], told: Any) -> None:
    waiting: queue.SimpleQueue[Post] = queue.SimpleQueue()
    for post in every:
        waiting.put(post)
    answers, lock, end = Answers(), threading.Lock(), time.monotonic() + PATIENCE

    def work() -> None:
        while True:
            try:
                post = waiting.get_nowait()
            except queue.Empty:
                return
            answer = _post(post)
            with lock:
                (answers.forged if post.is_forged else answers.genuine)[answer] += 1
            while not post.is_forged and answer != "200" and time.monotonic() < end:
                time.sleep(PAUSE)
                answer = _post(post)
                with lock:
                    answers.genuine[answer] += 1
            if not post.is_forged and answer != "200":
                with lock:
                    answers.unanswered += 1

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.send(answers)


def _post(post: Post) -> str:
    url = urlsplit(post.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT)
    try:
        connection.request("POST", url.path, post.body, {"Content-Type": "application/json"})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        # The worker that had it was killed.
        return "none"
    finally:
        connection.close()
