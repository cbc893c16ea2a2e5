"""Whatever comes in whatever order, however often, and whoever dies: what is here in the end is the true history's end.

10,000 posts (on MariaDB 4,000, on SQLite 2,000), a fifth of them duplicates, all shuffled, a twentieth forged, at a
real web server with two processes, while two workers process them; one of each is killed every one to three seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from demo.sandbox.process import ROOT
from tests.acceptance.webhooks.posting import UNKNOWN
from tests.acceptance.webhooks.run import Result
from tests.databases import drop_databases, fresh_database, vendor

pytestmark = [pytest.mark.xdist_group("busy"), pytest.mark.timeout(1800)]
EVENTS, BADGES = {"PostgreSQL": (7_500, 800), "MariaDB": (3_000, 320), "SQLite": (1_500, 180)}[vendor()]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """What came of it, played once in a process of its own."""
    folder = tmp_path_factory.mktemp("proof")
    command = [sys.executable, "-m", "tests.acceptance.webhooks.run", str(EVENTS), str(BADGES), str(folder)]
    # Asked of the environment by settings_test: there is no bus here.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BADGES_TEST_")}
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**inherited, **fresh_database(folder)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            timeout=1780,
            check=False,
        )
    drop_databases()
    assert done.returncode == 0, f"It broke off:\n{(folder / 'log').read_text()[-4000:]}"
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def test_it_was_as_much_as_is_said_and_workers_were_killed(result):
    assert result.posted >= len(result.true_events) / 0.75 - 1 >= EVENTS / 0.75 - 1
    assert result.forged == round(result.posted * 0.05)
    assert result.deaths >= 3
    assert result.web_deaths >= 3


def test_each_post_of_the_provider_was_answered_with_200_in_the_end(result):
    assert result.unanswered == 0
    assert set(result.genuine_answers) <= {"200", "none", "429", "503"}


def test_the_final_states_equal_those_of_the_ordered_true_history(result):
    found = {
        email: [
            own_id if result.expected[email][0] else "",
            external_id,
            status,
            state,
            is_public if status == "awarded" else None,
        ]
        for email, (own_id, external_id, status, state, is_public) in result.facts["badges"].items()
    }
    assert {
        email: (found.get(email), wanted) for email, wanted in result.expected.items() if found.get(email) != wanted
    } == {}
    assert found.keys() == result.expected.keys()


def test_badges_of_people_whom_nobody_knows_are_recorded_with_their_final_state(result):
    assert result.facts["strangers"] == result.strangers


def test_every_true_event_is_there_once_and_has_ended(result):
    ended = {one: status for one, status in result.facts["events"].items() if status in ("processed", "ignored")}
    assert ended.keys() == set(result.true_events)
    assert result.facts["errors"] == []


def test_what_was_forged_changed_nothing_and_left_nothing(result):
    # What nobody can have made up by now is looked for a while, as its provider may be late with it.
    assert {one[: len(UNKNOWN)] for one in result.before_the_end} <= {UNKNOWN}
    assert not set(result.before_the_end.values()) & {"processed", "ignored", "dead"}
    assert result.facts["events"].keys() == set(result.true_events)
    assert set(result.forged_answers) <= {"200", "400", "403", "429", "none"}
    assert result.facts["users"] == len(result.expected)


def test_nothing_was_sent_back_to_the_provider(result):
    assert result.changing_calls == 0
    assert {one.split()[1] for one in result.facts["deliveries"]} == {"done"}
