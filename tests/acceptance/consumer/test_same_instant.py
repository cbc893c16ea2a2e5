"""Two processes fulfil a learner's last two requirements at the same instant: one badge, and one call of the provider.

The module that this one replaces issued 37 of 40 badges twice.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from demo.processes import Server
from demo.sandbox.process import RunningSandbox, running_sandbox
from tests.acceptance.consumer.conftest import INSTANTS
from tests.acceptance.consumer.database import Databases
from tests.acceptance.consumer.plan import Event, course
from tests.acceptance.consumer.world import HERE, World

LEARNERS = 40


@pytest.fixture
def provider() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


def test_forty_awards_and_forty_calls(
    play: Callable[..., World],
    bus: Server,
    provider: RunningSandbox,
    database: Databases,
    pytestconfig: pytest.Config,
) -> None:
    site = play(provider.badges_config(), is_configured=False, meeting=bus.url)
    site.nursery.run(f"{HERE}.site:configure_credly")
    before = len(provider.state()["requests"])
    for number in (1, 2):
        events = [Event(str(uuid.uuid4()), f"learner{one}", course(number), True, 1) for one in range(LEARNERS)]
        site.produce_all(events, topic=f"test-course-{number}")

    # Two topics, so that each consumer gets one event of each learner. Its receiver lets both go at the same time.
    for number in (1, 2):
        site.consume(f"consumer{number}", topic=f"course-{number}", batch_size=1)
    for number in (1, 2):
        site.wait_until_drained(f"test-course-{number}")
    # An account takes 30 calls at once: the others wait for their turn, which the consumers' sweeps give them.
    site.wait_for(lambda: not site.snapshot()["open"], "nothing is left to deliver")
    site.stop()

    badges = site.snapshot()["badges"]
    issued = [
        one for one in provider.state()["requests"][before:] if one["method"] == "POST" and "badges" in one["path"]
    ]
    held = Counter(badge["recipient_email"] for badge in provider.state()["credly"]["badges"])
    met = [line["at"] for line in site.history.told("met")]
    pytestconfig.stash.setdefault(INSTANTS, []).append((database.name, len(badges), len(issued), gaps(site)))
    assert len(met) == 2 * LEARNERS
    assert len({(learner, template) for learner, template, *_ in badges}) == len(badges) == LEARNERS
    assert len(issued) == LEARNERS
    assert set(held.values()) == {1}
    assert site.snapshot()["open"] == 0


def gaps(site: World) -> list[float]:
    """Milliseconds between the two processes' going on, for each learner."""
    times: list[float] = sorted(line["at"] for line in site.history.told("met"))
    return [round(1000 * (second - first), 2) for first, second in zip(times[::2], times[1::2], strict=True)]
