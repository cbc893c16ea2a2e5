"""Makes rows of the built-in module, as it makes them."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from attrs import Factory, define

from badges.host.adoption import tables
from tests.factories import COURSE, PASSING

MADE = datetime(2025, 1, 1, 8, tzinfo=UTC)
"""When the configuration was made."""
EARNED = datetime(2025, 6, 1, 8, tzinfo=UTC)
"""When the badges were earned."""
RULES = (("is_passing", "eq", "true"), ("course.course_key", "eq", COURSE))
_TIMES = {"created": MADE, "modified": MADE}


@define
class BuiltIn:
    """The built-in module of one database."""

    _numbers: Any = Factory(lambda: itertools.count(1))

    def organization(self, **values: Any) -> Any:
        """An organization at Credly."""
        defaults = {"uuid": uuid.uuid4(), "api_key": "credly-key", "name": f"Organization {next(self._numbers)}"}
        return tables.CredlyOrganization.objects.create(**_TIMES | defaults | values)

    def api_config(self, **values: Any) -> Any:
        """A key at Accredible."""
        number = next(self._numbers)
        defaults = {"api_key": f"accredible-key-{number}", "name": f"Config {number}"}
        return tables.AccredibleAPIConfig.objects.create(**_TIMES | defaults | values)

    def bare_template(self, **values: Any) -> Any:
        """A template of no provider."""
        defaults = {
            "uuid": uuid.uuid4(),
            "name": f"Template {next(self._numbers)}",
            "description": "For those who finish.",
            "icon": "https://images.example.com/badge.png",
            "origin": "openedx",
            "state": "active",
            "is_active": True,
        }
        return tables.BadgeTemplate.objects.create(**_TIMES | defaults | values)

    def credly_template(self, organization: Any = None, **values: Any) -> Any:
        """A template of Credly; its parent row."""
        template = self.bare_template(**{"origin": "credly", **values})
        tables.CredlyBadgeTemplate.objects.create(
            badgetemplate_ptr=template, organization=organization or self.organization()
        )
        return template

    def group(self, api_config: Any = None, **values: Any) -> Any:
        """A group of Accredible; its parent row, whose id is the group's."""
        template = self.bare_template(**{"origin": "accredible", "id": 20_000 + next(self._numbers), **values})
        tables.AccredibleGroup.objects.create(badgetemplate_ptr=template, api_config=api_config or self.api_config())
        return template

    def requirement(self, template: Any, rules: Any = RULES, **values: Any) -> Any:
        """A requirement; ``rules`` are (path, operator, value)."""
        defaults = {"event_type": PASSING, "blend": "A"}
        requirement = tables.BadgeRequirement.objects.create(template=template, **defaults | values)
        for path, operator, value in rules:
            tables.DataRule.objects.create(requirement=requirement, data_path=path, operator=operator, value=value)
        return requirement

    def penalty(self, template: Any, resets: Any = (), rules: Any = RULES, **values: Any) -> Any:
        """A penalty; it resets these requirements."""
        penalty = tables.BadgePenalty.objects.create(template=template, **{"event_type": PASSING} | values)
        for requirement in resets:
            tables.PenaltyRequirement.objects.create(badgepenalty=penalty, badgerequirement=requirement)
        for path, operator, value in rules:
            tables.PenaltyDataRule.objects.create(penalty=penalty, data_path=path, operator=operator, value=value)
        return penalty

    def progress(self, template: Any, username: str, fulfilled: Any = ()) -> Any:
        """A learner's progress record; a new one each time, as the built-in module makes them."""
        progress = tables.BadgeProgress.objects.create(template=template, username=username)
        for requirement in fulfilled:
            tables.Fulfillment.objects.create(
                progress=progress, requirement=requirement, blend=getattr(requirement, "blend", None)
            )
        return progress

    def credential(self, template: Any, username: str, model: str, **values: Any) -> Any:
        """The host's record of a badge; ``model`` is that of its content type."""
        content_type, _ = tables.ContentType.objects.get_or_create(app_label="badges", model=model)
        defaults = {"uuid": uuid.uuid4(), "status": "awarded", "created": EARNED, "modified": EARNED}
        return tables.UserCredential.objects.create(
            username=username, credential_content_type=content_type, credential_id=template.pk, **defaults | values
        )

    def credly_badge(self, template: Any, username: str, **values: Any) -> Any:
        """A badge at Credly; its row in the host's table."""
        own = {"state": values.pop("state", "accepted"), "external_uuid": values.pop("external_uuid", uuid.uuid4())}
        credential = self.credential(template, username, values.pop("model", "credlybadgetemplate"), **values)
        tables.CredlyBadge.objects.create(usercredential_ptr=credential, **own)
        return credential

    def accredible_badge(self, template: Any, username: str, **values: Any) -> Any:
        """A badge at Accredible; its row in the host's table."""
        own = {
            "state": values.pop("state", "accepted"),
            "external_id": values.pop("external_id", 50_000 + next(self._numbers)),
        }
        credential = self.credential(template, username, values.pop("model", "accrediblegroup"), **values)
        tables.AccredibleBadge.objects.create(usercredential_ptr=credential, **own)
        return credential
