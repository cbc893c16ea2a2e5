"""The settings of both services, from Tutor and for bare machines: executed, validated, compared, and used."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from attrs import frozen

from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.lms import CCX_PASSING, OTHER, PASSING, TOPIC
from tests.acceptance.deployment.rendering import DEPLOYMENT
from tests.acceptance.deployment.running import ended, output

pytestmark = pytest.mark.any_database
OURS = ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1")
EVENT = {
    "course_passing_status": {
        "is_passing": True,
        "user": {"id": 7, "is_active": True, "pii": {"username": "anna", "email": "anna@example.com", "name": "Anna"}},
        "course": {"course_key": "course-v1:edX+DemoX+2026"},
    }
}
SAME_ON_BOTH_SIDES = (
    "EVENT_BUS_PRODUCER",
    "EVENT_BUS_REDIS_CONNECTION_URL",
    "EVENT_BUS_TOPIC_PREFIX",
    "EVENT_BUS_REDIS_STREAM_MAX_LEN",
)


@frozen
class Platform:
    """Both services, with the settings of one way to deploy them."""

    lms_settings: Path
    credentials: Credentials

    def lms(self, do: str) -> Any:
        """Let the LMS do something, in a process of its own."""
        command = [sys.executable, str(Path(__file__).with_name("lms.py")), str(self.lms_settings), do]
        return json.loads(output(command, self.credentials.environment) or "null")


@pytest.fixture(scope="module", params=["tutor", "tutor, more of everything", "bare machines"])
def platform(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Platform:
    if request.param == "bare machines":
        lms, credentials = DEPLOYMENT / "lms_settings.py", DEPLOYMENT / "credentials_settings.py"
    else:
        env = request.getfixturevalue("plain" if request.param == "tutor" else "large").root / "env"
        lms = env / "apps/openedx/settings/lms/production.py"
        credentials = env / "plugins/credentials/apps/credentials/settings/production.py"
    return Platform(lms, Credentials(credentials, tmp_path_factory.mktemp("credentials"), environment))


@pytest.fixture(scope="module")
def lms(platform: Platform) -> Any:
    """What the LMS says of itself."""
    return platform.lms("describe")


@pytest.fixture(scope="module")
def service(platform: Platform) -> Any:
    """What the Credentials service says of itself."""
    return platform.credentials.describe()


def test_the_credentials_service_runs_this_app_with_its_consumer_and_passes_every_check(service):
    assert service["checks"] == []
    assert service["settings"]["BADGES_ENABLED"] is True
    assert service["settings"]["EVENT_BUS_CONSUMER"] == "badges.eventbus.redis.DurableConsumer"
    assert "credentials.apps.badges" not in service["apps"]
    assert service["apps"].index("badges") < service["apps"].index("openedx_events")


def test_openedx_events_takes_the_lms_producer_configuration_and_both_passing_statuses_are_sent(lms):
    config = lms["settings"]["EVENT_BUS_PRODUCER_CONFIG"]
    assert config[PASSING][TOPIC]["enabled"] is True
    assert config[CCX_PASSING][TOPIC]["enabled"] is True
    assert lms["features"]["BADGES_ENABLED"] is True


def test_what_the_lms_sends_besides_stays_as_it_was(lms):
    assert lms["settings"]["EVENT_BUS_PRODUCER_CONFIG"][OTHER] == {
        "learning-enrollments": {"event_key_field": "enrollment.course.course_key", "enabled": True}
    }
    assert lms["features"]["OTHER"] is True


def test_the_key_field_of_each_event_is_a_field_of_its_data(lms):
    keys = lms["keys"]
    assert keys[PASSING] == "CourseKey"
    assert keys[CCX_PASSING] == "CCXLocator"


def test_the_credentials_service_sends_both_badge_events(service):
    config = service["settings"]["EVENT_BUS_PRODUCER_CONFIG"]
    expected = {TOPIC: {"event_key_field": "badge.uuid", "enabled": True}}
    assert {event: config[event] for event in OURS} == dict.fromkeys(OURS, expected)


def test_both_sides_use_the_same_stream_and_neither_trims_what_the_other_keeps(lms, service):
    assert lms["stream"] == service["stream"]
    theirs = {name: lms["settings"][name] for name in SAME_ON_BOTH_SIDES}
    assert {name: service["settings"][name] for name in SAME_ON_BOTH_SIDES} == theirs
    assert theirs["EVENT_BUS_REDIS_STREAM_MAX_LEN"] >= 500_000


def test_an_event_that_the_lms_sends_is_taken_in_by_the_consumer_although_it_was_not_running(platform, redis_url):
    credentials = platform.credentials
    credentials.environment["SERVICE_REDIS_URL"] = redis_url
    stream = credentials.describe()["stream"]
    with redis.Redis.from_url(redis_url) as client:
        client.delete(stream)
        try:
            platform.lms("send")
            assert client.xlen(stream) == 2
            credentials.run("manage", "migrate", "-v", "0")
            printed = credentials.run(
                *("manage", "consume_events", "-t", TOPIC, "-g", "credentials"),
                *("--extra", '{"consumer_name": "one"}', "--until-empty"),
            )
            [group] = client.xinfo_groups(stream)
            assert (group["name"], group["pending"], group["last-delivered-id"]) == (
                b"credentials",
                0,
                client.xinfo_stream(stream)["last-generated-id"],
            )
            assert "2 events" in printed
        finally:
            client.delete(stream)
            del credentials.environment["SERVICE_REDIS_URL"]


def test_a_backlog_longer_than_the_default_length_survives_what_either_service_sends(platform, service, redis_url):
    credentials, backlog = platform.credentials, 12_000
    credentials.environment["SERVICE_REDIS_URL"] = redis_url
    with redis.Redis.from_url(redis_url) as client:
        try:
            pipeline = client.pipeline()
            for _ in range(backlog):
                pipeline.xadd(service["stream"], {"unread": "1"})
            pipeline.execute()
            platform.lms("send")
            credentials.run("manage", "produce_event", PASSING, "--data", json.dumps(EVENT))
            assert client.xlen(service["stream"]) == backlog + 3
        finally:
            client.delete(service["stream"])
            del credentials.environment["SERVICE_REDIS_URL"]


def test_keys_come_from_tutors_configuration_and_old_ones_still_decrypt(plain, environment, tmp_path):
    settings = plain.root / "env/plugins/credentials/apps/credentials/settings/production.py"
    [key] = Credentials(settings, tmp_path, environment).describe()["settings"]["BADGES_ENCRYPTION_KEYS"]
    assert len(key) == 48
    assert f"BADGES_ENCRYPTION_KEY: {key}" in (plain.root / "config.yml").read_text(encoding="utf-8")


def test_keys_of_a_secret_stand_in_no_rendered_file(large, environment, tmp_path):
    settings = large.root / "env/plugins/credentials/apps/credentials/settings/production.py"
    found = Credentials(settings, tmp_path, environment).describe()
    assert found["settings"]["BADGES_ENCRYPTION_KEYS"] == ["first", "second"]
    assert "former" not in settings.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["tutor", "bare machines"])
def test_a_process_whose_environment_has_no_key_does_not_start_with_another_one(request, environment, tmp_path, kind):
    settings = DEPLOYMENT / "credentials_settings.py"
    if kind == "tutor":
        large = request.getfixturevalue("large")
        settings = large.root / "env/plugins/credentials/apps/credentials/settings/production.py"
    credentials = Credentials(settings, tmp_path, {**environment, "BADGES_ENCRYPTION_KEYS": " \n"})
    with pytest.raises(AssertionError, match="BADGES_ENCRYPTION_KEYS is empty"):
        credentials.describe()


@pytest.mark.parametrize("name", ["BADGES_ENCRYPTION_KEYS", "BADGES_PUBLIC_URL", "EVENT_BUS_REDIS_CONNECTION_URL"])
def test_a_process_without_what_the_environment_must_give_does_not_start(environment, tmp_path, name):
    without = {key: value for key, value in environment.items() if key != name}
    credentials = Credentials(DEPLOYMENT / "credentials_settings.py", tmp_path, without)
    with pytest.raises(AssertionError, match=f"KeyError: '{name}'"):
        credentials.describe()


def test_a_redis_password_with_special_characters_is_read_back(large, environment, tmp_path):
    settings = large.root / "env/plugins/credentials/apps/credentials/settings/production.py"
    url = Credentials(settings, tmp_path, environment).describe()["settings"]["EVENT_BUS_REDIS_CONNECTION_URL"]
    found = redis.connection.parse_url(url)
    assert (found["host"], found["password"], found["db"]) == ("redis.example.org", "p@ss/word", 0)


def test_a_shell_reads_the_environment_as_systemd_does(tmp_path):
    """Two keys, and an address with what a shell minds."""
    url = "rediss://badges:p$w;d@redis.example.org:6380/0?ssl_cert_reqs=required&socket_timeout=9"
    text = (DEPLOYMENT / "systemd" / "environment.example").read_text(encoding="utf-8")
    filled = text.replace("KEYS=''", "KEYS='new old'").replace("'redis://127.0.0.1:6379/0'", f"'{url}'")
    (tmp_path / "environment").write_text(filled, encoding="utf-8")
    show = 'echo "$BADGES_ENCRYPTION_KEYS"; echo "$EVENT_BUS_REDIS_CONNECTION_URL"'
    done = ended(["/bin/sh", "-ec", f"set -a; . ./environment; {show}"], {}, tmp_path)
    assert (done.stdout.splitlines(), done.stderr) == (["new old", url], "")


def test_no_file_of_the_checkout_holds_a_secret():
    example = (DEPLOYMENT / "systemd" / "environment.example").read_text(encoding="utf-8")
    assert "\nBADGES_ENCRYPTION_KEYS=''\n" in example
    assert "@" not in next(line for line in example.splitlines() if line.startswith("EVENT_BUS_REDIS_CONNECTION_URL"))
