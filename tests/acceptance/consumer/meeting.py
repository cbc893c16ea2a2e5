"""Two processes that wait for each other, so that both go on at the same instant."""

from __future__ import annotations

import redis

PATIENCE = 20.0


def meet(redis_url: str, place: str) -> None:
    """Wait until a second process is at this place, too.

    The last one pushes for both: who waits is woken by Redis itself, within a fraction of a millisecond.
    """
    with redis.Redis.from_url(redis_url, socket_timeout=PATIENCE) as client:
        if client.incr(f"meeting:{place}") % 2 == 0:
            client.rpush(f"go:{place}", "go")
        else:
            client.blpop([f"go:{place}"], timeout=PATIENCE)
