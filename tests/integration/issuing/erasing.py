"""The scripted provider, with badges that can be deleted."""

from __future__ import annotations

from attrs import evolve

from badges.data import Award, IssuedBadge
from badges.exceptions import ProviderRejected
from badges.providers.base import Features
from tests.integration.issuing.scripted import ScriptedProvider

SETTINGS = {"providers": {"scripted": "tests.integration.issuing.erasing.ErasingProvider"}}


class ErasingProvider(ScriptedProvider):
    """Deletes by its own identifier, and keeps nothing."""

    features = Features(deletes=True)

    def delete(self, external_id: str, *, award: Award) -> IssuedBadge:
        self._play("delete", award)
        held = self.held.get(award.uuid)
        if held is not None and held.external_id != external_id:
            raise ProviderRejected("The provider knows this badge by another identifier.")
        self.held.pop(award.uuid, None)
        if self.lose_answers:
            raise self.lose_answers.pop(0)
        gone = held or IssuedBadge(external_id, "deleted")
        return evolve(gone, state="deleted", url="", is_valid=False)
