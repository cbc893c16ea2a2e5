"""The live server does what its OpenAPI document says, whoever asks and whatever they send."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from attrs import frozen

from demo.processes import LOOPBACK, free_port, running, wait_until
from tests.acceptance.project import ROOT, Project

# What the databases refuse is tried on all of them by the integration tests.
pytestmark = [pytest.mark.any_database, pytest.mark.xdist_group("api"), pytest.mark.timeout(600)]
DOCUMENT = ROOT / "docs" / "openapi.yaml"
PASSWORD = "only-for-tests"
# Who asks -> how much of it. Nobody gets past the door, so of that the right requests are enough.
HOW = {
    "staff": ["--phases=examples,coverage,fuzzing", "--max-examples=8"],
    "anna": ["--phases=examples,coverage,fuzzing", "--max-examples=3"],
    "": ["--phases=examples,coverage", "--mode=positive"],
}
# What is named in the examples of the document is there, so that they succeed.
SETUP = """
from django.contrib.auth import get_user_model
User = get_user_model()
word = {password!r}
User.objects.create_superuser("staff", "staff@example.com", word)
anna = User.objects.create_user("anna", "anna@example.com", word, lms_user_id=1203)
learners = [UserFactory() for _ in range(4)]
shown = BadgeTemplateFactory(uuid={template!r}, takes_applications=True, name="Python for beginners")
CriterionFactory(template=shown)
requirement = RequirementFactory(template=shown, rules=[("is_passing", "eq", "true")])
others = [BadgeTemplateFactory(takes_applications=True) for _ in range(3)]
from badges.issuing import awards
from django.utils import timezone
made = [awards.award(one, {{two.pk: timezone.now() for two in others}}) for one in [*learners, anna]]
for one in [*learners, anna]:
    progress = BadgeProgress.objects.create(user=one, template=shown)
    FulfillmentFactory(progress=progress, requirement=requirement)
endpoint = CallbackEndpoint.objects.create(name="Elsewhere", url="https://callbacks.example.com/")
waiting = Callback.objects.create(endpoint=endpoint, action="award", badge=made[0][0])
Delivery.objects.create(callback=waiting, next_attempt_at=timezone.now() + timezone.timedelta(1), action="callback")
applications = [ApplicationFactory(template=shown, user=one) for one in [*learners, anna]]
evidence = [one.evidence.create(kind="link", url="https://example.com/work") for one in applications]
print(json.dumps({{
    "badges": [str(one) for one in Badge.objects.values_list("uuid", flat=True)],
    "templates": [str(one) for one in BadgeTemplate.objects.values_list("uuid", flat=True)],
    "deliveries": [str(one) for one in Delivery.objects.values_list("pk", flat=True)],
    "progress": [str(one) for one in BadgeProgress.objects.values_list("pk", flat=True)],
    "applications": [str(one.pk) for one in applications],
    "evidence": [str(one.pk) for one in evidence],
}}))
"""


@frozen
class Live:
    """The server, and what is in its database."""

    url: str
    known: dict[str, list[str]]
    folder: Path

    @property
    def api(self) -> str:
        return f"{self.url}/badges/api/v1"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("api")
    project = Project(folder, "")
    # Nothing of this is about the bus.
    del project.environment["BADGES_TEST_REDIS_URL"]
    project.environment["BADGES_TEST_MEDIA"] = str(folder / "media")
    example = yaml.safe_load(DOCUMENT.read_text())["paths"]["/badges/"]["post"]["requestBody"]
    template = example["content"]["application/json"]["examples"]["ByUsername"]["value"]["template"]
    known = project.python(SETUP.format(password=PASSWORD, template=template))
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers=2", f"--bind={LOOPBACK}:{port}", "--error-logfile=-"]
    url = f"http://{LOOPBACK}:{port}"
    with running(
        "server",
        [*command, "tests.acceptance.api_server:application"],
        log=folder / "server.log",
        env=project.environment,
        cwd=ROOT,
    ) as child:
        wait_until(lambda: _answers(url), "the server answers", alive=[child])
        yield Live(url, known, folder)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/badges/api/v1/schema/", timeout=30).ok
    except requests.ConnectionError:
        return False


def _configuration(live: Live) -> str:
    """Where addresses name something, mostly something that is there."""
    of = {"badges": "uuid", "templates": "uuid", "deliveries": "id", "progress": "id", "applications": "id"}
    lines = [
        line for name in live.known for line in (f"[dictionaries.{name}]", f"values = {json.dumps(live.known[name])}")
    ]
    named = {
        "^/(my/)?badges/": "path.uuid = {dictionary = 'badges', probability = 0.8}",
        "^/(my/progress|templates|application-templates)/": "path.uuid = {dictionary = 'templates', probability = 0.8}",
        "^/deliveries/": "path.id = {dictionary = 'deliveries', probability = 0.8}",
        "^/progress/": "path.id = {dictionary = 'progress', probability = 0.8}",
        "^/(my/)?applications/": "path.id = {dictionary = 'applications', probability = 0.8}, "
        "path.evidence_id = {dictionary = 'evidence', probability = 0.8}",
    }
    assert set(of) | {"evidence"} == set(live.known)
    for pattern, parameters in named.items():
        lines += ["[[operations]]", f"include-path-regex = {json.dumps(pattern)}", f"parameters = {{{parameters}}}"]
    return "\n".join(lines)


@pytest.mark.parametrize("user", HOW, ids=["staff", "learner", "anonymous"])
def test_every_answer_is_as_the_document_says(live: Live, user: str) -> None:
    configuration = live.folder / "schemathesis.toml"
    configuration.write_text(_configuration(live))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={configuration}", "run", str(DOCUMENT)),
        f"--url={live.api}",
        *HOW[user],
        "--seed=6",
        "--checks=all",
        # What has the right form is refused all the same where it names nobody, or nothing that there is.
        "--exclude-checks=positive_data_acceptance",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--report=ndjson",
        f"--report-ndjson-path={live.folder}/{user or 'anonymous'}.ndjson",
    ]
    if user:
        command.append(f"--auth={user}:{PASSWORD}")

    done = subprocess.run(command, cwd=live.folder, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout[-60000:] + done.stderr[-2000:]
