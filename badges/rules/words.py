"""What earns a badge, in words that a learner reads: an event and its data rules as a sentence. Pure.

Only a person can say it well, so what staff wrote as a requirement's description goes before all this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.exceptions import BadgesError
from badges.rules.kinds import BOOL, DATETIME, Kind
from badges.rules.operators import Operator
from badges.rules.ruleset import Rule
from badges.rules.schema import event_schema

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@frozen
class _Deed:
    """What a learner does for an event of one type."""

    any: StrOrPromise
    """Without saying in which course."""
    one: StrOrPromise = ""
    """With ``%(subject)s`` for the value at ``subject``; empty where there is no such value."""
    subject: str = ""
    """The key path of what it is done in or with."""
    implied: tuple[str, str] = ("", "")
    """Key path and value of a rule that the sentence already says. Without that rule the sentence would be wrong."""


_LEARNING = "org.openedx.learning."
_DEEDS: Mapping[str, _Deed] = {
    f"{_LEARNING}course.passing.status.updated.v1": _Deed(
        _("Pass any course"), _("Pass the course %(subject)s"), "course.course_key", ("is_passing", "true")
    ),
    f"{_LEARNING}ccx.course.passing.status.updated.v1": _Deed(
        _("Pass any custom course (CCX)"),
        _("Pass the custom course %(subject)s"),
        "course.ccx_course_key",
        ("is_passing", "true"),
    ),
    f"{_LEARNING}course.enrollment.created.v1": _Deed(
        _("Enroll in any course"), _("Enroll in the course %(subject)s"), "course.course_key"
    ),
    f"{_LEARNING}certificate.created.v1": _Deed(
        _("Earn a certificate of any course"), _("Earn a certificate of the course %(subject)s"), "course.course_key"
    ),
    f"{_LEARNING}program.certificate.awarded.v1": _Deed(
        _("Earn a certificate of any program"), _("Earn a certificate of the program %(subject)s"), "program.title"
    ),
    f"{_LEARNING}exam.attempt.submitted.v1": _Deed(
        _("Submit any proctored exam"), _("Submit a proctored exam of the course %(subject)s"), "course_key"
    ),
    f"{_LEARNING}exam.attempt.verified.v1": _Deed(
        _("Have any proctored exam verified"),
        _("Have a proctored exam of the course %(subject)s verified"),
        "course_key",
    ),
    f"{_LEARNING}forum.thread.created.v1": _Deed(
        _("Start a discussion in any course"), _("Start a discussion in the course %(subject)s"), "course_id"
    ),
    f"{_LEARNING}forum.thread.response.created.v1": _Deed(
        _("Answer in a discussion of any course"), _("Answer in a discussion of the course %(subject)s"), "course_id"
    ),
    f"{_LEARNING}forum.thread.response.comment.created.v1": _Deed(
        _("Comment in a discussion of any course"), _("Comment in a discussion of the course %(subject)s"), "course_id"
    ),
    f"{_LEARNING}badge.awarded.v1": _Deed(_("Earn any badge"), _('Earn the badge "%(subject)s"'), "template.name"),
    f"{_LEARNING}cohort_membership.changed.v1": _Deed(
        _("Join any cohort"), _("Join a cohort of the course %(subject)s"), "course.course_key"
    ),
    f"{_LEARNING}idv_attempt.approved.v1": _Deed(_("Have your identity verified")),
    f"{_LEARNING}student.registration.completed.v1": _Deed(_("Create an account")),
    f"{_LEARNING}auth.session.login.completed.v1": _Deed(_("Log in")),
}
_NAMES: Mapping[str, StrOrPromise] = {
    **dict.fromkeys(("course.course_key", "course_key", "course_id"), _("course")),
    "course.ccx_course_key": _("custom course"),
    "course.master_course_key": _("course that it was made from"),
    "course.display_name": _("name of the course"),
    "course.start": _("start of the course"),
    "course.end": _("end of the course"),
    "is_passing": _("passed"),
    "mode": _("mode"),
    "grade": _("grade"),
    "creation_date": _("date of enrollment"),
    "program.title": _("program"),
    "program.program_type": _("type of the program"),
    "template.name": _("badge"),
    "exam_type": _("type of the exam"),
    "current_status": _("status"),
    "status": _("status"),
}
_PEOPLE = frozenset({"pii", "user", "student_user", "created_by", "requesting_user", "user_id", "coach_email"})
_NAMES_OF_PEOPLE = (f"{_LEARNING}certificate.", f"{_LEARNING}idv_attempt.")
"""Events whose ``name`` is a person's."""


def requirement_words(event_type: str, rules: Iterable[Rule]) -> str:
    """What has to happen, as a sentence without its full stop.

    A value that concerns a person is never told: a rule may name somebody, and everybody reads this.

    Arguments:
        event_type: known to openedx-events or not.
        rules: of the requirement, in the order in which they are to be read.
    """
    left = list(rules)
    what = _deed(event_type, left)
    conditions = [_condition(event_type, rule) for rule in left if not is_personal(event_type, rule.path)]
    if len(conditions) < len(left):
        conditions.append(gettext("a condition on the account of the learner is met"))
    if not conditions:
        return what
    return gettext("%(what)s (%(conditions)s)") % {"what": what, "conditions": ", ".join(conditions)}


def alternatives_words(sentences: Iterable[str]) -> str:
    """Sentences of which one is enough, as one text."""
    told = list(sentences)
    if len(told) == 1:
        return told[0]
    return gettext("One of these: %(alternatives)s") % {"alternatives": " / ".join(told)}


def is_personal(event_type: str, path: str) -> bool:
    """Whether the value at a key path concerns a person: the learner, or whoever else is named in the event."""
    if not _PEOPLE.isdisjoint(path.split(".")):
        return True
    try:
        schema = event_schema(event_type)
    except BadgesError:
        # Nobody knows what an event holds that is not known any more.
        return path in ("id", "name", "email", "username")
    if schema.learner_path is not None and len(schema.learner_path) == len(schema.arguments) == 1:
        # The whole payload is the learner.
        return True
    return path == "name" and event_type.startswith(_NAMES_OF_PEOPLE)


def _deed(event_type: str, rules: list[Rule]) -> str:
    """What the learner does; the rules that it says are taken out of the list."""
    deed = _DEEDS.get(event_type)
    said = _find(rules, *deed.implied) if deed is not None and deed.implied[0] else None
    if deed is None or (deed.implied[0] and said is None):
        return gettext('The event "%(event)s" happens') % {"event": _title(event_type)}
    if said is not None:
        rules.remove(said)
    about = _find(rules, deed.subject) if deed.subject else None
    if about is None:
        return str(deed.any)
    rules.remove(about)
    return str(deed.one) % {"subject": about.value}


def _find(rules: list[Rule], path: str, value: str | None = None) -> Rule | None:
    """The one rule that wants this value, or whatever value, at a path."""
    found = [rule for rule in rules if rule.path == path and rule.operator == Operator.EQ.value]
    if len(found) != 1 or (value is not None and not _means(found[0].value, value)):
        return None
    return found[0]


def _means(text: str, value: str) -> bool:
    try:
        return bool(BOOL.read(text) == BOOL.read(value))
    except BadgesError:
        return False


def _condition(event_type: str, rule: Rule) -> str:
    name = _NAMES.get(rule.path) or rule.path.replace("_", " ").replace(".", " ")
    parts = {"name": name, "value": _value(event_type, rule)}
    if rule.operator == Operator.EQ.value:
        return gettext("%(name)s: %(value)s") % parts
    return gettext("%(name)s: not %(value)s") % parts


def _value(event_type: str, rule: Rule) -> str:
    try:
        kind: Kind = event_schema(event_type).kind_of(rule.path)
        value = kind.read(rule.value)
    except BadgesError:
        return rule.value
    if kind is BOOL:
        return gettext("yes") if value else gettext("no")
    if kind is DATETIME and isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return rule.value


def _title(event_type: str) -> str:
    """``course.enrollment.created`` of ``org.openedx.learning.course.enrollment.created.v1``, with spaces."""
    words = event_type.removeprefix("org.openedx.").split(".")
    if len(words) > 1 and words[-1][:1] == "v" and words[-1][1:].isdecimal():
        words.pop()
    if len(words) > 1 and event_type.startswith("org.openedx."):
        words = words[1:]
    return " ".join(words).replace("_", " ")
