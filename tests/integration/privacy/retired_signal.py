"""A public signal of another package, that tells of a learner's retirement."""

from __future__ import annotations

from openedx_events.learning.data import CourseData, UserData
from openedx_events.tooling import OpenEdxPublicSignal

LEARNER_RETIRED = OpenEdxPublicSignal(event_type="org.example.learner.retired.v1", data={"user": UserData})
COURSE_RETIRED = OpenEdxPublicSignal(event_type="org.example.course.retired.v1", data={"course": CourseData})
EVENTS = [LEARNER_RETIRED.event_type]
