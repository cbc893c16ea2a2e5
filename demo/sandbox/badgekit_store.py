"""What a BadgeKit holds: systems with their badges, instances, applications and reviews; and what it sends of them."""

from __future__ import annotations

import copy
import hashlib
import itertools
import re
from datetime import UTC, datetime
from typing import Any

from demo.sandbox.badgekit_sender import Sender
from demo.sandbox.messages import Json, Refusal, Reply

_DATABASE_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?")
_EMAIL = re.compile(r"[^@\s\[\]]+@[^@\s\[\]]+\.[^@\s\[\]]+")


class BadgeKit:
    """All systems of one BadgeKit."""

    def __init__(self, seed: list[Json]) -> None:
        """
        Arguments:
            seed: its systems, each with its badges; see :func:`demo.sandbox.seed.default_seed`.
        """
        self.sender = Sender()
        self.systems: dict[str, Json] = {}
        self.badges: dict[str, Json] = {}
        self.instances: dict[str, Json] = {}
        self.applications: dict[str, Json] = {}
        self.reviews: dict[str, Json] = {}
        self._numbers = itertools.count(1)
        for system in seed:
            badges = system.pop("badges", [])
            self.systems[system["slug"]] = {"webhook": None, "milestones": [], **system, "id": next(self._numbers)}
            for badge in badges:
                self.put_badge(system["slug"], badge)

    def put_badge(self, system: str, values: Json) -> Json:
        """Create or change a badge; its slug is its own in all systems."""
        known = self.badges.get(values["slug"]) or {"id": next(self._numbers), "archived": False, "criteria": []}
        known.update({**values, "systemSlug": system})
        for criterion in known["criteria"]:
            criterion.setdefault("id", next(self._numbers))
        self.badges[known["slug"]] = known
        return known

    def find(self, badge: str, email: str) -> Json | None:
        """The instance of a badge that was awarded to an address."""
        return next(
            (
                one
                for one in self.instances.values()
                if one["badgeSlug"] == badge and one["email"].lower() == email.lower()
            ),
            None,
        )

    def award(self, badge: Json, values: Json, base_url: str) -> Json:
        """Create an instance, and those of the milestones that it completes.

        Raises:
            Refusal: there is one, or the values cannot be.
        """
        email = values.get("email")
        if not isinstance(email, str) or not _EMAIL.fullmatch(email):
            details = [{"field": "email", "value": email, "message": "Invalid email"}]
            raise refusal(400, "ValidationError", "Could not validate required fields", details)
        if (held := self.find(badge["slug"], email)) is not None:
            message = f"User {email} has already been awarded badge {badge['slug']}"
            raise refusal(409, "ResourceConflict", message, {"assertionUrl": assertion_url(held, base_url)})
        instance = self._put_instance(badge, values)
        self._tell_of_award(badge, instance, base_url, {"comment": values.get("comment") or None})
        for milestone in self._completed(badge, email):
            extra = self._put_instance(self.badges[milestone["badge"]], {"email": email})
            # The badge that completed it, not the one that is awarded; and no comment: so does BadgeKit.
            self._tell_of_award(badge, extra, base_url, {})
        return self.answered({**instance, "issuedOn": values.get("issuedOn") or instance["issuedOn"]}, base_url)

    def revoke(self, instance: Json, base_url: str) -> Json:
        """Delete an instance."""
        badge = self.badges[self.instances.pop(instance["slug"])["badgeSlug"]]
        message = {"uid": instance["slug"], "badge": self.badge_answer(badge), "email": instance["email"]}
        self._send(badge, {"action": "revoke", **message})
        return self.answered(instance, base_url)

    def apply(self, badge: Json, values: Json) -> Json:
        """Create an application."""
        number = next(self._numbers)
        slug = hashlib.md5(f"application {number}".encode(), usedforsecurity=False).hexdigest()
        application = {
            "id": number,
            "slug": slug,
            "learner": str(values.get("learner")),
            "created": _iso(_now()),
            "assignedTo": None,
            "assignedExpiration": None,
            "badgeSlug": badge["slug"],
            "processed": None,
            "evidence": values.get("evidence") or [],
        }
        self.applications[slug] = application
        return application

    def review(self, application: Json, values: Json, review: Json | None = None) -> Json:
        """Create a review of an application, or change one."""
        badge, number = self.badges[application["badgeSlug"]], next(self._numbers)
        if review is None:
            slug = hashlib.md5(f"review {number}".encode(), usedforsecurity=False).hexdigest()
            review = {"id": number, "slug": slug, "applicationSlug": application["slug"]}
        review.update({"author": values.get("author"), "comment": values.get("comment")})
        review["reviewItems"] = values.get("reviewItems") or []
        self.reviews[review["slug"]] = review
        required = {one["id"] for one in badge["criteria"] if one.get("required")}
        satisfied = {one.get("criterionId") for one in review["reviewItems"] if str(one.get("satisfied")) == "1"}
        message = {
            "application": {**self.application_answer(application), "evidence": []},
            "review": {name: value for name, value in review.items() if name != "applicationSlug"},
            "approved": required <= satisfied,
        }
        self._send(badge, {"action": "review", **message})
        return review

    def badge_answer(self, badge: Json) -> Json:
        """A badge as it is answered and sent."""
        system = self.systems[badge["systemSlug"]]
        shown = {name: value for name, value in badge.items() if name != "systemSlug"}
        return {**shown, "system": {"id": system["id"], "slug": system["slug"], "name": system["name"]}}

    def application_answer(self, application: Json) -> Json:
        """An application as it is answered and sent."""
        shown = {name: value for name, value in application.items() if name != "badgeSlug"}
        return {**shown, "badge": self.badge_answer(self.badges[application["badgeSlug"]])}

    def answered(self, instance: Json, base_url: str) -> Json:
        """An instance as it is answered."""
        shown = {name: value for name, value in instance.items() if name != "badgeSlug"}
        badge = self.badge_answer(self.badges[instance["badgeSlug"]])
        return {**shown, "claimCode": None, "assertionUrl": assertion_url(instance, base_url), "badge": badge}

    def snapshot(self) -> Json:
        """Everything but the keys."""
        hidden = ("secret", "master_secret", "webhook")
        systems = [{name: value for name, value in one.items() if name not in hidden} for one in self.systems.values()]
        rows = {name: list(getattr(self, name).values()) for name in ("badges", "instances", "applications", "reviews")}
        return copy.deepcopy({"systems": systems, **rows, "sent": list(self.sender.sent)})

    def _put_instance(self, badge: Json, values: Json) -> Json:
        given, number = values.get("issuedOn"), next(self._numbers)
        if given is not None and not (isinstance(given, str) and _DATABASE_TIME.fullmatch(given)):
            # Its database would not take it.
            raise refusal(500, "InternalError", "An internal error occurred")
        slug = values.get("slug") or hashlib.sha1(f"instance {number}".encode(), usedforsecurity=False).hexdigest()
        if slug in self.instances:
            raise refusal(500, "InternalError", "An internal error occurred")
        issued_on = datetime.fromisoformat(given).replace(tzinfo=UTC) if given else _now()
        instance = {
            "slug": slug,
            "email": values["email"],
            "issuedOn": _iso(issued_on),
            "expires": None,
            "badgeSlug": badge["slug"],
        }
        self.instances[slug] = instance
        # A time that was given is a text to the sender, which makes no seconds of it.
        return {**instance, "_seconds": None if given else int(issued_on.timestamp())}

    def _tell_of_award(self, badge: Json, instance: Json, base_url: str, extra: Json) -> None:
        seconds = instance.pop("_seconds")
        message = {
            "action": "award",
            "uid": instance["slug"],
            "badge": self.badge_answer(badge),
            "email": instance["email"],
            "assertionUrl": assertion_url(instance, base_url),
            **({} if seconds is None else {"issuedOn": seconds}),
            **extra,
        }
        self._send(badge, message)

    def _completed(self, badge: Json, email: str) -> list[Json]:
        milestones = self.systems[badge["systemSlug"]]["milestones"]
        return [
            one
            for one in milestones
            if badge["slug"] in one["supporting"]
            and self.find(one["badge"], email) is None
            and all(self.find(slug, email) is not None for slug in one["supporting"])
        ]

    def _send(self, badge: Json, message: Json) -> None:
        self.sender.send(self.systems[badge["systemSlug"]]["webhook"], copy.deepcopy(message))


def assertion_url(instance: Json, base_url: str) -> str:
    """Where the assertion of an instance is, by the address that the caller used."""
    return f"{base_url}badgekit/public/assertions/{instance['slug']}"


def refusal(status: int, code: str, message: str, details: Any = None) -> Refusal:
    """An error as BadgeKit answers it."""
    return Refusal(Reply.json(status, {"code": code, "message": message, **({"details": details} if details else {})}))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
