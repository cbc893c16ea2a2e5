"""The Kubernetes resources of the Tutor plugin: valid by Kubernetes' own schema, probed, limited, and told apart."""

from __future__ import annotations

import copy
import re
from typing import Any

import kubernetes_validate
import pytest

from badges.conf import ConsumerSettings, HTTPSettings
from badges.eventbus.redis.stopping import LAST_MOMENTS
from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.rendering import DEPLOYMENT, PREFIX, Rendered, container_of, pod_of, seconds

pytestmark = pytest.mark.any_database
SETTINGS = "plugins/credentials/apps/credentials/settings/production.py"
VERSIONS = ("1.25", kubernetes_validate.latest_version())
"""The oldest with what is used here for good, and the newest that there is a schema for."""


def overridden(rendered: Rendered, kind: str, name: str) -> dict[str, Any]:
    """A resource of tutor-credentials with our patch: lists of named things are merged by name, as kubectl does."""

    def merge(base: Any, patch: Any) -> Any:
        if isinstance(base, dict) and isinstance(patch, dict):
            return {**base, **{key: merge(base.get(key), value) for key, value in patch.items()}}
        if isinstance(base, list) and isinstance(patch, list) and all("name" in one for one in base + patch):
            by_name = {one["name"]: one for one in base}
            assert {one["name"] for one in patch} <= set(by_name)
            return list(merge(by_name, {one["name"]: one for one in patch}).values())
        return patch

    [base] = [
        one
        for file in ("deployments", "jobs")
        for one in rendered.manifests(file)
        if (one["kind"], one["metadata"]["name"]) == (kind, name)
    ]
    for patch in rendered.manifests("override"):
        if (patch["kind"], patch["metadata"]["name"]) == (kind, name):
            base = merge(copy.deepcopy(base), patch)
    assert isinstance(base, dict)
    return base


def deployments(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in rendered.ours().items() if one["kind"] == "Deployment"}


def crons(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in rendered.ours().items() if one["kind"] == "CronJob"}


def test_what_there_is(plain, large):
    assert sorted(plain.ours()) == [f"{PREFIX}{name}" for name in ("consumer-1", "health", "purge", "sweep")]
    names = ("consumer-1", "consumer-2", "health", "prune", "purge", "sweeper", "worker-1", "worker-2")
    assert sorted(large.ours()) == [f"{PREFIX}{name}" for name in names]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_valid(rendered, version):
    changed = [overridden(rendered, "Deployment", "credentials"), overridden(rendered, "Job", "credentials-job")]
    for resource in (*rendered.ours().values(), *changed):
        # Kustomize adds the labels of Tutor, and names for what a hash is added to.
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_commands_are_read_by_their_own_parsers(rendered, environment, tmp_path):
    credentials = Credentials(rendered.root / "env" / SETTINGS, tmp_path, environment)
    commands = [container_of(one)["command"] for one in rendered.ours().values()]
    read = credentials.parse(*([word.removeprefix("./") for word in command] for command in commands))
    names = [one["consumer_name"] for one in read if one["command"] == "consume_events"]
    assert names == [name for name in deployments(rendered) if "consumer" in name]


def test_every_process_runs_the_image_with_the_settings_of_the_service(rendered):
    web = overridden(rendered, "Deployment", "credentials")
    for resource in rendered.ours().values():
        for key in ("image", "env", "envFrom", "volumeMounts", "securityContext"):
            assert container_of(resource).get(key) == container_of(web).get(key)
        assert pod_of(resource)["volumes"] == pod_of(web)["volumes"]
        assert pod_of(resource)["securityContext"] == pod_of(web)["securityContext"]


def test_no_request_of_the_web_is_sent_to_them(rendered):
    services = [one["spec"]["selector"] for one in rendered.manifests("services") if one["kind"] == "Service"]
    for resource in rendered.ours().values():
        template = resource["spec"].get("jobTemplate", resource)["spec"]["template"]
        assert template["metadata"]["labels"] not in services
        assert template["metadata"]["labels"]["app.kubernetes.io/name"] == resource["metadata"]["name"]


def test_a_consumer_that_does_not_beat_is_started_again_and_one_that_starts_slowly_is_left_alone(rendered):
    consumers = [one for name, one in deployments(rendered).items() if "consumer" in name]
    assert consumers
    for resource in consumers:
        container = container_of(resource)
        heartbeat = container["command"][container["command"].index("--heartbeat-file") + 1]
        assert container["startupProbe"]["exec"]["command"] == ["test", "-e", heartbeat]
        assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 300
        assert heartbeat in container["livenessProbe"]["exec"]["command"][2]
        # In the container and on no volume, so that it is gone with the container.
        assert not any(heartbeat.startswith(one["mountPath"]) for one in container["volumeMounts"])


def test_two_consumers_never_have_one_name(rendered):
    for resource in deployments(rendered).values():
        assert resource["spec"]["replicas"] == 1
        assert resource["spec"]["strategy"] == {"type": "Recreate"}


def test_a_process_that_is_stopped_has_time_to_finish_what_it_is_at(rendered):
    http = HTTPSettings()
    for name, resource in rendered.ours().items():
        grace = pod_of(resource)["terminationGracePeriodSeconds"]
        if "consumer" in name:
            assert grace > ConsumerSettings().grace + LAST_MOMENTS
        else:
            assert grace > 2 * (http.connect_timeout + http.read_timeout)


def test_a_job_comes_again_by_itself_and_not_at_once_and_never_twice_at_a_time(rendered):
    assert crons(rendered)
    for resource in crons(rendered).values():
        assert resource["spec"]["concurrencyPolicy"] == "Forbid"
        job = resource["spec"]["jobTemplate"]["spec"]
        assert job["backoffLimit"] == 0
        assert pod_of(resource)["restartPolicy"] == "Never"


def test_a_job_has_the_time_that_it_has_on_a_bare_machine(large, plain):
    """One that hangs would keep all later ones away."""
    for name, resource in {**crons(large), **crons(plain)}.items():
        unit = (DEPLOYMENT / "systemd" / f"{name.removeprefix('credentials-')}.service").read_text(encoding="utf-8")
        [limit] = re.findall(r"^TimeoutStartSec=(\w+)$", unit, flags=re.MULTILINE)
        spec = resource["spec"]
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == seconds(limit)
        # Nightly work is done after a pause of the cluster, too.
        assert spec["startingDeadlineSeconds"] == seconds(limit)


def test_a_job_that_failed_is_gone_some_time_after_and_an_alert_with_it(rendered):
    for name, resource in crons(rendered).items():
        kept = resource["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"]
        assert 0 < kept <= (15 * 60 if name.endswith("-health") else 24 * 3600)


def test_every_process_says_what_it_needs(rendered):
    for resource in rendered.ours().values():
        resources = container_of(resource)["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert set(resources["limits"]) == {"memory"}


def test_the_web_service_takes_requests_when_it_is_ready(rendered):
    probe = container_of(overridden(rendered, "Deployment", "credentials"))["readinessProbe"]["httpGet"]
    assert (probe["path"], probe["port"]) == ("/health/", 8000)
    # Django refuses a request for a host that is not its own.
    assert probe["httpHeaders"] == [{"name": "Host", "value": "credentials.local.openedx.io"}]


def test_keys_of_a_secret_reach_every_process_and_the_tasks_of_tutor(large):
    expected = [{"secretRef": {"name": "badges-keys"}}]
    for resource in large.ours().values():
        assert container_of(resource)["envFrom"] == expected
    for kind, name in (("Deployment", "credentials"), ("Job", "credentials-job")):
        assert container_of(overridden(large, kind, name))["envFrom"] == expected


def test_an_empty_schedule_leaves_a_job_out(tmp_path):
    from tests.acceptance.deployment.rendering import render

    without = render(
        tmp_path / "tutor",
        BADGES_CONSUMERS=0,
        BADGES_SWEEP_SCHEDULE="",
        BADGES_PURGE_SCHEDULE="",
        BADGES_HEALTH_SCHEDULE="",
    )
    assert without.ours() == {}
