"""What the sandbox holds when it starts: organizations, accounts, templates, groups."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.sandbox.messages import Json

ORGANIZATION_ID = "6f1c2f5e-54a4-4a5b-9d0e-6f0d7a1b0001"
ORGANIZATION_TOKEN = "sandbox-credly-token"
CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-credly-client-secret"
"""The OAuth client of the first organization."""
LARGE_ORGANIZATION_ID = "6f1c2f5e-54a4-4a5b-9d0e-6f0d7a1b0002"
LARGE_ORGANIZATION_TOKEN = "sandbox-large-credly-token"
LARGE_CLIENT_ID = "sandbox-large-client"
LARGE_CLIENT_SECRET = "sandbox-large-credly-client-secret"
ACCREDIBLE_KEY = "sandbox-accredible-key"
LARGE_ACCREDIBLE_KEY = "sandbox-large-accredible-key"
BADGEKIT_SYSTEM = "sandbox-city"
BADGEKIT_KEY = "sandbox-consumer"
"""The name of the API key of the small BadgeKit system."""
BADGEKIT_SECRET = "sandbox-badgekit-secret"
BADGEKIT_MASTER_SECRET = "sandbox-badgekit-master-secret"
LARGE_BADGEKIT_SYSTEM = "sandbox-large-city"
LARGE_BADGEKIT_SECRET = "sandbox-large-badgekit-secret"
MANY = 120
"""How many templates the large organization has, and groups the large account: three pages."""

_NAMESPACE = uuid.UUID("6f1c2f5e-54a4-4a5b-9d0e-6f0d7a1bffff")
_TEMPLATES = (
    ("python-basics", "Python Basics", "Passed the introduction to Python.", "active"),
    ("data-science", "Data Science Path", "Passed all courses of the data science path.", "active"),
    ("open-learner", "Open Learner", "Passed a first course on the platform.", "active"),
    ("mentor", "Community Mentor", "Helped other learners.", "draft"),
    ("pioneer-2019", "Pioneer 2019", "Was there in the first year.", "archived"),
)
_BADGEKIT_BADGES = (
    ("city-explorer", "City Explorer", "Went to five museums."),
    ("city-guide", "City Guide", "Led a walk through the city."),
    ("city-friend", "Friend of the City", "Has both other badges."),
)
_GROUPS = (
    (9001, "Web Foundations", "Passed the web foundations course."),
    (9002, "Cloud Practitioner", "Passed both cloud courses."),
    (9003, "Responsible AI", "Passed the course on responsible AI."),
)


def template_id(slug: str) -> str:
    """The UUID of a seeded template of the small organization; slugs: python-basics, data-science, open-learner, ..."""
    return str(uuid.uuid5(_NAMESPACE, slug))


GROUP_IDS = tuple(str(number) for number, _, _ in _GROUPS)
"""The seeded groups of the small account."""


def default_seed() -> Json:
    """A small organization and account as in the demonstration, and large ones whose lists have three pages."""
    return {
        "credly": [
            {
                "id": ORGANIZATION_ID,
                "name": "Sandbox University",
                "token": ORGANIZATION_TOKEN,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "templates": [
                    {
                        "id": template_id(slug),
                        "name": name,
                        "description": description,
                        "state": state,
                        "skills": [{"id": f"skill-{slug}", "name": name}, {"id": "skill-learning", "name": "Learning"}],
                        "global_activity_url": f"https://university.example.com/badges/{slug}",
                        "badge_template_activities": [
                            {
                                "id": f"activity-{slug}",
                                "title": description,
                                "activity_type": "Course",
                                "activity_url": f"https://university.example.com/courses/{slug}",
                            }
                        ],
                    }
                    for slug, name, description, state in _TEMPLATES
                ],
            },
            {
                "id": LARGE_ORGANIZATION_ID,
                "name": "Sandbox Large College",
                "token": LARGE_ORGANIZATION_TOKEN,
                "client_id": LARGE_CLIENT_ID,
                "client_secret": LARGE_CLIENT_SECRET,
                "templates": [
                    {"id": template_id(f"large-{number}"), "name": f"Course {number:03}", "state": "active"}
                    for number in range(1, MANY + 1)
                ],
            },
        ],
        "accredible": [
            {
                "id": 501,
                "name": "Sandbox Academy",
                "key": ACCREDIBLE_KEY,
                "credits": 1000,
                "groups": [
                    {
                        "id": number,
                        "name": name,
                        "description": description,
                        "course_link": f"https://academy.example.com/courses/{number}",
                        "learning_outcomes": [f"Knows {name}", "Learns by doing"],
                    }
                    for number, name, description in _GROUPS
                ],
            },
            {
                "id": 502,
                "name": "Sandbox Large Academy",
                "key": LARGE_ACCREDIBLE_KEY,
                "credits": 0,
                "groups": [{"id": 20000 + number, "name": f"Group {number:03}"} for number in range(1, MANY + 1)],
            },
        ],
        "badgekit": [
            {
                "slug": BADGEKIT_SYSTEM,
                "name": "Sandbox City",
                "key": BADGEKIT_KEY,
                "secret": BADGEKIT_SECRET,
                "master_secret": BADGEKIT_MASTER_SECRET,
                "milestones": [{"badge": "city-friend", "supporting": ["city-explorer", "city-guide"]}],
                "badges": [
                    {
                        "slug": slug,
                        "name": name,
                        "consumerDescription": description,
                        "criteriaUrl": f"https://city.example.com/badges/{slug}",
                        "criteria": [
                            {"description": description, "required": 1, "note": ""},
                            {"description": "Wrote about it.", "required": 0, "note": ""},
                        ],
                    }
                    for slug, name, description in _BADGEKIT_BADGES
                ],
            },
            {
                "slug": LARGE_BADGEKIT_SYSTEM,
                "name": "Sandbox Large City",
                "key": "sandbox-large-consumer",
                "secret": LARGE_BADGEKIT_SECRET,
                "master_secret": BADGEKIT_MASTER_SECRET,
                "badges": [
                    {"slug": f"place-{number:03}", "name": f"Place {number:03}"} for number in range(1, MANY + 1)
                ],
            },
        ],
    }


def dump(seed: Json) -> str:
    """A seed as the text of a file."""
    return json.dumps(seed, indent=2)


def read_seed(path: Path) -> Json:
    """A seed from a JSON file of the shape that :func:`default_seed` gives.

    Raises:
        ValueError: the file is not such a seed; the text says what is wrong with it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"The seed {path} cannot be read: {error}") from error
    check_seed(found)
    return found  # type: ignore[no-any-return]


def check_seed(seed: Any) -> None:
    """Check the shape of a seed.

    Raises:
        ValueError: it has another shape.
    """
    if not isinstance(seed, dict) or set(seed) - {"credly", "accredible", "badgekit"}:
        raise ValueError('A seed is a JSON object with "credly", "accredible" and "badgekit", each a list.')
    for problem in _problems(seed):
        raise ValueError(problem)


def _problems(seed: Json) -> Iterator[str]:
    shapes = (
        ("credly", ("id", "name", "token"), "templates", "id"),
        ("accredible", ("id", "name", "key"), "groups", "id"),
        ("badgekit", ("slug", "name", "key", "secret", "master_secret"), "badges", "slug"),
    )
    for provider, needed, children, named_by in shapes:
        owners = seed.get(provider, [])
        if not isinstance(owners, list):
            yield f'"{provider}" must be a list.'
            continue
        for owner in owners:
            missing = [key for key in needed if not isinstance(owner, dict) or not owner.get(key)]
            if missing:
                yield f'An entry of "{provider}" has no {", ".join(missing)}.'
                continue
            for child in owner.get(children, []):
                if not isinstance(child, dict) or not child.get(named_by) or not child.get("name"):
                    yield f'An entry of "{children}" of "{owner["name"]}" has no {named_by} or no name.'
