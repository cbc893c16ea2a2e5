"""What must be known of an award before any provider is asked to issue it."""

from __future__ import annotations

from badges.data import Award
from badges.exceptions import NotSent


def private_words(award: Award) -> tuple[str, ...]:
    """What an answer about an award may repeat and an error must not: the learner's address and name.

    The name also word by word: an answer may leave a part of it out, or change the order.
    """
    return (award.email, award.name, award.first_name, award.last_name, *award.name.split())


def require_recipient(award: Award) -> None:
    """Refuse an award that no provider could deliver.

    Raises:
        NotSent: the learner has no e-mail address or no name. Nothing was sent.
    """
    missing = [what for what, value in (("e-mail address", award.email), ("name", award.name)) if not value.strip()]
    if missing:
        raise NotSent(
            f"The learner has no {' and no '.join(missing)}, so badge {award.uuid} cannot be issued. "
            f"Complete the learner's account, then retry the delivery."
        )
