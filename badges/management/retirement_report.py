"""What ``retire_learner`` tells of a learner: in words and numbers, without names and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define
from django.utils import timezone

from badges.issuing.erasure import AtProvider
from badges.issuing.health import as_sentence
from badges.privacy.following_up import Undone, left_there, undone
from badges.privacy.people import LMS_USER_ID
from badges.toggles import is_badges_enabled

WORDS = {
    "badges_revoked": ("badge", "badges", "revoked here"),
    "deletions": ("badge", "badges", "put down for deletion at the provider"),
    "revocations": ("revocation", "revocations", "begun again at the provider, after having been given up"),
    "deliveries_cancelled": ("delivery", "deliveries", "cancelled that would have told of the learner"),
    "applications": ("application", "applications", "deleted, with its evidence"),
    "reviews": ("review", "reviews", "freed of the reviewer's address"),
    "notifications": ("notification", "notifications", "deleted"),
    "changes": ("reason of a change by hand", "reasons of changes by hand", "redacted"),
    "evidence": ("fulfilment", "fulfilments", "freed of personal values"),
    "attempts": ("delivery or attempt", "deliveries and attempts", "redacted"),
    "employees": ("employee's record", "employees' records", "emptied"),
    "provider_badges": ("badge that is only at the provider", "badges that are only at the provider", "deleted here"),
    "dead_events": ("dead event", "dead events", "emptied or redacted"),
    "webhooks": ("webhook event", "webhook events", "emptied"),
    "admin_log": ("entry of the admin's log", "entries of the admin's log", "redacted"),
}
ACTIONS = {"delete": "deletion", "revoke": "revocation"}


@define
class LearnerReport:
    """What was done for one learner, or would be."""

    user: Any | None
    way: AtProvider
    counts: dict[str, int]
    is_dry_run: bool
    is_done_here: bool = False
    """Whether what is to be done at providers was attempted by this process."""

    def lines(self) -> Iterator[str]:
        """All of it."""
        yield self._heading()
        for key, (one, many, did) in WORDS.items():
            if number := self.counts[key]:
                verb = "would be" if self.is_dry_run else "was" if number == 1 else "were"
                yield f"  {number} {one if number == 1 else many} {verb} {did}."
        if not any(self.counts.values()):
            if self.user is not None and undone(self.user):
                yield "  Here everything is done already."
            else:
                yield "  Nothing to do: nothing of the learner was found that would have to go."
        if self.user is not None:
            yield from self._of_providers()
        elif self.way is not AtProvider.KEEP:
            yield (
                "  No provider is asked: badges are known by the user record. What providers still have of the learner "
                "can only be ended on their own pages."
            )
        if self.is_dry_run:
            yield "Nothing was changed."

    def needs_person(self) -> list[str]:
        """What does not go on by itself, in sentences."""
        if self.user is None or self.is_dry_run:
            return []
        return [told for one in undone(self.user) if (told := self._needs(one))]

    def _heading(self) -> str:
        if self.user is None:
            return (
                "There is no user record (any more), so only what bears the given names and addresses is looked for; "
                "usernames count with their capital letters."
            )
        lms_user_id = getattr(self.user, LMS_USER_ID, None)
        return f"User {self.user.pk}" + (f" (LMS user id {lms_user_id}):" if lms_user_id else ":")

    def _of_providers(self) -> Iterator[str]:
        if number := self.counts["not_deletable"]:
            is_one = number == 1
            yield (
                f"  {number} {'badge' if is_one else 'badges'} cannot be deleted at {'its' if is_one else 'their'} "
                f"provider from here. Where valid, {'it is' if is_one else 'they are'} revoked there instead, and the "
                f"page there may go on naming the learner."
            )
        if self.is_dry_run:
            return
        open_ones = undone(self.user)
        done = self.counts["deletions"] - sum(one.action == "delete" for one in open_ones)
        if self.is_done_here and done > 0:
            yield f"  {done} {'deletion' if done == 1 else 'deletions'} at the provider carried out."
        for one in open_ones:
            if not self._needs(one):
                why = f": {one.reason}" if one.reason else "."
                yield f"  Delivery {one.delivery_id}, a {ACTIONS[one.action]} at the provider, {_waits(one)}{why}"
        if self.way is AtProvider.KEEP and (number := left_there(self.user)):
            them = "1 badge stays at its provider" if number == 1 else f"{number} badges stay at their providers"
            yield f"  {them}, with what names the learner there. --at-provider delete or revoke ends that."

    def _needs(self, one: Undone) -> str:
        what = f"Delivery {one.delivery_id}, a {ACTIONS[one.action]} at the provider,"
        if one.status == "dead":
            why = as_sentence(one.reason)
            return f"{what} was given up: {why} Mend the cause, and retry it in the admin or run this again."
        if not is_badges_enabled():
            return f"{what} waits, for BADGES_ENABLED is off. Set it to True, and run deliver_badges."
        return (
            "" if one.next_attempt_at is not None else f"{what} waits for its account, which is stopped: {one.reason}"
        )


def _waits(one: Undone) -> str:
    if one.next_attempt_at is None or one.next_attempt_at <= timezone.now():
        return "waits for a worker"
    return f"waits until {one.next_attempt_at:%Y-%m-%d %H:%M:%S %Z}"
