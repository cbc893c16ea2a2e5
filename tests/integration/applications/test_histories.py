"""Any history of an application: whatever people try in whatever order, the badge is awarded at most once."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from badges.applications import applying, reviewing
from badges.applications.errors import ApplicationRefused
from badges.applications.moves import MOVES
from badges.applications.reviewing import Judgement
from badges.issuing import awards
from badges.models import Application, Badge, BadgeTemplate, Delivery, Review
from tests.factories import BadgeTemplateFactory, CriterionFactory, UserFactory, moment
from tests.integration.applications.helpers import link, manager, reviewer

Status = Application.Status
pytestmark = pytest.mark.django_db
refusals = contextlib.suppress(ApplicationRefused)


class Histories(RuleBasedStateMachine):
    """One learner, one badge, and everybody who can do something."""

    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    @initialize(awards_on_approval=st.booleans(), required=st.integers(0, 2))
    def begin(self, awards_on_approval: bool, required: int) -> None:
        self.template: Any = BadgeTemplateFactory(takes_applications=True, awards_on_approval=awards_on_approval)
        self.criteria = [CriterionFactory(template=self.template) for _ in range(required)]
        self.learner, self.reviewer, self.manager = UserFactory(), reviewer(), manager()
        self.seen: dict[int, str] = {}
        self.reviews: dict[int, tuple[Any, ...]] = {}
        self.had_badge: bool | None = None

    def newest(self) -> Application | None:
        return Application.objects.order_by("-pk").first()

    @rule()
    def apply(self) -> None:
        with refusals:
            applying.submit(self.template, self.learner, evidence=[link()])

    @rule(approves=st.booleans(), satisfied=st.integers(0, 2), by_learner=st.booleans())
    def review(self, approves: bool, satisfied: int, by_learner: bool) -> None:
        if application := self.newest():
            said = [Judgement(one.pk, number < satisfied) for number, one in enumerate(self.criteria)]
            author = self.learner if by_learner else self.reviewer
            with refusals:
                reviewing.review(application, author, items=said, comment="Hm.", approves=approves)

    @rule()
    def hand_in_again(self) -> None:
        if application := self.newest():
            with refusals:
                applying.resubmit(application, by=self.learner)

    @rule()
    def withdraw(self) -> None:
        if application := self.newest():
            with refusals:
                applying.withdraw(application, by=self.learner)

    @rule()
    def close(self) -> None:
        if application := self.newest():
            with refusals:
                reviewing.close(application, "Enough.", self.manager)

    @rule(by_learner=st.booleans())
    def award(self, by_learner: bool) -> None:
        if application := self.newest():
            with refusals:
                reviewing.award(application, self.learner if by_learner else self.manager)

    @rule()
    def earn_by_an_event(self) -> None:
        if not Badge.objects.filter(user=self.learner).exists():
            awards.award(self.learner, {self.template.pk: moment(0)})
            self.had_badge = True

    @rule()
    def lose(self) -> None:
        awards.revoke(Badge.objects.filter(user=self.learner, status="awarded"), moment(1))

    @rule(is_active=st.booleans())
    def switch(self, is_active: bool) -> None:
        BadgeTemplate.objects.filter(pk=self.template.pk).update(is_active=is_active)
        self.template.refresh_from_db()

    @invariant()
    def there_is_one_badge_at_most_and_it_was_announced_once(self) -> None:
        assert Badge.objects.count() <= 1
        announced = Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_AWARDED).count()
        assert announced == Badge.objects.count()

    @invariant()
    def a_badge_comes_from_an_approved_application_or_an_event(self) -> None:
        if Badge.objects.exists() and not self.had_badge:
            awarded = Application.objects.filter(status=Status.AWARDED)
            assert awarded.count() == 1
            assert Review.objects.filter(application__in=awarded, is_approved=True).exists()

    @invariant()
    def one_application_is_open_at_most(self) -> None:
        open_ones = Application.objects.filter(status__in=Application.OPEN)
        assert open_ones.count() <= 1
        assert list(open_ones) == list(Application.objects.filter(open_marker=True))

    @invariant()
    def every_change_was_allowed_and_noted(self) -> None:
        for application in Application.objects.all():
            noted = list(application.changes.values_list("status", flat=True))
            assert noted[0] == Status.SUBMITTED
            assert noted[-1] == application.status
            assert all(to in MOVES[former] for former, to in pairwise(noted))
            assert (application.processed_at is None) == application.is_open

    @invariant()
    def reviews_never_change_and_are_never_the_learners(self) -> None:
        for review in Review.objects.all():
            now = (review.is_approved, review.comment, review.reviewed_at, tuple(review.items.values_list()))
            assert self.reviews.setdefault(review.pk, now) == now
            assert review.author == self.reviewer
            if review.is_approved:
                assert not review.items.filter(is_required=True, is_satisfied=False).exists()


def test_any_history_awards_at_most_once() -> None:
    run_state_machine_as_test(Histories, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))
