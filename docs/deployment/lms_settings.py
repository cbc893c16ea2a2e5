"""Settings of the LMS: tell of passing statuses. For its web service and for its workers, where grades are computed."""

import os

from lms.envs.production import *

FEATURES["BADGES_ENABLED"] = True

EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer"
# The same three in the Credentials service. The prefix may be empty, and an empty one is a prefix, too.
EVENT_BUS_REDIS_CONNECTION_URL = os.environ["EVENT_BUS_REDIS_CONNECTION_URL"]
EVENT_BUS_TOPIC_PREFIX = os.environ.get("EVENT_BUS_TOPIC_PREFIX", "")
# Messages. Whoever writes to a stream trims it, so that the shortest of these lengths counts.
EVENT_BUS_REDIS_STREAM_MAX_LEN = 500_000

for event, key in {
    "org.openedx.learning.course.passing.status.updated.v1": "course_passing_status.course.course_key",
    "org.openedx.learning.ccx.course.passing.status.updated.v1": "course_passing_status.course.ccx_course_key",
}.items():
    EVENT_BUS_PRODUCER_CONFIG.setdefault(event, {})["learning-badges-lifecycle"] = {
        "event_key_field": key,
        "enabled": True,
    }
