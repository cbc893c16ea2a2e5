"""Settings of the Credentials service with this app: for the web service, and for every process beside it."""

import os

from credentials.settings.production import *

BADGES_ENABLED = True
BADGES_CONFIG["public_url"] = os.environ["BADGES_PUBLIC_URL"]
# Separated by blanks; the first one encrypts. Without any the process does not start, and takes no other key instead.
BADGES_ENCRYPTION_KEYS = os.environ["BADGES_ENCRYPTION_KEYS"].split()
if not BADGES_ENCRYPTION_KEYS:
    raise ValueError("BADGES_ENCRYPTION_KEYS is empty.")

EVENT_BUS_CONSUMER = "badges.eventbus.redis.DurableConsumer"
EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer"
# The same three in the LMS. The prefix may be empty, and an empty one is a prefix, too.
EVENT_BUS_REDIS_CONNECTION_URL = os.environ["EVENT_BUS_REDIS_CONNECTION_URL"]
EVENT_BUS_TOPIC_PREFIX = os.environ.get("EVENT_BUS_TOPIC_PREFIX", "")
# Messages. Whoever writes to a stream trims it, so that the shortest of these lengths counts.
EVENT_BUS_REDIS_STREAM_MAX_LEN = 500_000

for event in ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1"):
    EVENT_BUS_PRODUCER_CONFIG.setdefault(event, {})["learning-badges-lifecycle"] = {
        "event_key_field": "badge.uuid",
        "enabled": True,
    }

if os.environ.get("BADGES_TASK_WORKERS"):
    INSTALLED_APPS += ["django_tasks_db"]
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}
