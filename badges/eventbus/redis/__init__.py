"""The event bus on Redis Streams: the consumer that loses nothing, and what Redis tells of its groups."""

from badges.eventbus.redis.consumer import DurableConsumer

__all__ = ["DurableConsumer"]
