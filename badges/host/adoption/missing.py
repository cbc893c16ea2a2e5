"""What is missing for a badge, in words for whoever decides on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from badges.host.adoption import people, tables
from badges.host.adoption.awards import Credential
from badges.host.adoption.context import TemplateContext
from badges.host.adoption.premature import PrematureBadge
from badges.host.adoption.progress import groups_of


class Missing:
    """Tells what is missing for badges of one template. Nothing is asked where no badge is premature."""

    def __init__(self, context: TemplateContext) -> None:
        self._context = context

    def rows(
        self, badges: Sequence[tuple[int, Credential]], fulfilled: Mapping[int, AbstractSet[int]]
    ) -> Iterator[PrematureBadge]:
        """The list's rows of badges that were awarded before they were earned.

        Arguments:
            badges: (user, badge there).
            fulfilled: user -> the requirements, by their ids there, that are fulfilled.
        """
        if not badges:
            return
        names = people.names_of([user_id for user_id, _ in badges])
        for user_id, badge in badges:
            yield PrematureBadge(
                username=names.get(user_id, ""),
                template_name=self._context.name,
                badge_uuid=str(badge.uuid),
                external_id=badge.external_id,
                state=badge.state,
                awarded_at=badge.created,
                missing=self._in_words(fulfilled.get(user_id, frozenset())),
            )

    def _in_words(self, fulfilled: AbstractSet[int]) -> str:
        words = [text for members, text in self._groups if members.isdisjoint(fulfilled)]
        # Progress stays under a former name when a learner is renamed, so this proves nothing.
        prefix = "" if fulfilled else "nothing is recorded as fulfilled, perhaps under a former username; "
        return f"{prefix}missing: {'; '.join(words)}"

    @cached_property
    def _groups(self) -> list[tuple[set[int], str]]:
        """Each group's requirements, and what it asks for."""
        requirements = self._context.requirements
        rows = tables.BadgeRequirement.objects.filter(template_id=self._context.builtin_id)
        descriptions = {pk: " ".join((text or "").split()) for pk, text in rows.values_list("pk", "description")}
        found = []
        for group, members in groups_of(requirements).items():
            wanted = [
                descriptions.get(one) or f"{requirements[one].event_type} (requirement {one})"
                for one in sorted(members)
            ]
            name = f"group {group}: " if isinstance(group, str) else ""
            found.append((members, name + " or ".join(wanted)))
        return found
