"""Tutor plugin: the Credentials service with this badges app, and the processes that it takes.

Needs tutor-credentials. Copy this file to where ``tutor plugins printroot`` says, then ``tutor plugins enable badges``.
"""

from __future__ import annotations

from tutor import hooks

DEFAULTS: list[tuple[str, object]] = [
    # What pip installs. A wheel in the build context's folder "requirements" is found by this name, too.
    ("BADGES_REQUIREMENT", "openedx-badges"),
    ("BADGES_CONSUMERS", 1),
    ("BADGES_GROUP", "credentials"),
    # The names of the streams begin with it, on both sides. This is what Tutor gives the LMS.
    ("BADGES_TOPIC_PREFIX", "dev"),
    # Messages, of every topic that these services write to.
    ("BADGES_STREAM_MAX_LEN", 500_000),
    # Processes of django-tasks-db that carry deliveries out. 0: the consumer does it.
    ("BADGES_WORKERS", 0),
    # A process that sweeps every so many seconds. 0: the idle consumer does it, and on Kubernetes a CronJob.
    ("BADGES_SWEEP_SECONDS", 0),
    ("BADGES_SWEEP_SCHEDULE", "*/5 * * * *"),
    ("BADGES_PURGE_SCHEDULE", "23 3 * * *"),
    ("BADGES_HEALTH_SCHEDULE", "*/5 * * * *"),
    ("BADGES_USE_SANDBOX", False),
    ("BADGES_FORMER_KEYS", []),
    # Kubernetes: a Secret of yours with the key BADGES_ENCRYPTION_KEYS, instead of the value in Tutor's configuration.
    ("BADGES_SECRET", ""),
]
hooks.Filters.CONFIG_DEFAULTS.add_items(DEFAULTS)
# Made once, and kept in Tutor's config.yml with the passwords of the platform.
hooks.Filters.CONFIG_UNIQUE.add_item(("BADGES_ENCRYPTION_KEY", "{{ 48|random_string }}"))

# After those of tutor-credentials, which make the database.
hooks.Filters.CLI_DO_INIT_TASKS.add_item(
    ("credentials", "./manage.py migrate && ./manage.py check --database default"),
    priority=hooks.priorities.LOW,
)

# Before the service's assets are collected, so that ours are among them.
DOCKERFILE = """
RUN --mount=type=cache,target=/openedx/.cache/pip,sharing=shared \\
    --mount=type=bind,source=requirements,target=/badges-requirements \\
    pip install --find-links=/badges-requirements '{{ BADGES_REQUIREMENT }}'
    {%- if BADGES_WORKERS %} 'django-tasks-db[compat]>=0.13'{% endif %}
"""

# LMS, Studio and Credentials have to find the same streams.
BUS = """
EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer"
EVENT_BUS_TOPIC_PREFIX = "{{ BADGES_TOPIC_PREFIX }}"
EVENT_BUS_REDIS_CONNECTION_URL = (
    "redis://{% if REDIS_PASSWORD -%}
    {{ REDIS_USERNAME|urlencode }}:{{ REDIS_PASSWORD|urlencode|replace("/", "%2F") }}@
    {%- endif -%}
    {{ REDIS_HOST }}:{{ REDIS_PORT }}/0"
)
# Whoever writes to a stream trims it, so that the shortest of these lengths counts.
EVENT_BUS_REDIS_STREAM_MAX_LEN = {{ BADGES_STREAM_MAX_LEN }}
"""

LMS = """
FEATURES["BADGES_ENABLED"] = True
for _badges_event, _badges_key in {
    "org.openedx.learning.course.passing.status.updated.v1": "course_passing_status.course.course_key",
    "org.openedx.learning.ccx.course.passing.status.updated.v1": "course_passing_status.course.ccx_course_key",
}.items():
    EVENT_BUS_PRODUCER_CONFIG.setdefault(_badges_event, {})["learning-badges-lifecycle"] = {
        "event_key_field": _badges_key,
        "enabled": True,
    }
"""

CREDENTIALS = (
    """
######## Badges
import os

BADGES_ENABLED = True
BADGES_CONFIG["public_url"] = "{% if ENABLE_HTTPS %}https{% else %}http{% endif %}://{{ CREDENTIALS_HOST }}/"
for _badges_provider in ("credly", "accredible"):
    BADGES_CONFIG[_badges_provider]["USE_SANDBOX"] = {{ BADGES_USE_SANDBOX }}
{% if BADGES_SECRET -%}
BADGES_ENCRYPTION_KEYS = os.environ["BADGES_ENCRYPTION_KEYS"].split()
if not BADGES_ENCRYPTION_KEYS:
    raise ValueError("BADGES_ENCRYPTION_KEYS is empty.")
{%- else -%}
BADGES_ENCRYPTION_KEYS = {{ [BADGES_ENCRYPTION_KEY] + BADGES_FORMER_KEYS }}
{%- endif %}
EVENT_BUS_CONSUMER = "badges.eventbus.redis.DurableConsumer"
"""
    + BUS
    + """
for _badges_event in ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1"):
    EVENT_BUS_PRODUCER_CONFIG.setdefault(_badges_event, {})["learning-badges-lifecycle"] = {
        "event_key_field": "badge.uuid",
        "enabled": True,
    }
LOGGING["loggers"].setdefault("badges", {"level": "INFO"})
{%- if BADGES_WORKERS %}
INSTALLED_APPS += ["django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}
{%- endif %}
"""
)

# The stream must not be thrown away with the caches when memory is short: they expire, and it does not.
REDIS = """
appendonly yes
maxmemory-policy volatile-lru
"""

# The address of a webhook holds its secret. A star in the middle of a "path" would not match it: no star then matches a
# slash.
CADDY = """
@badges_webhook path_regexp ^/badges/[^/]+/webhook/
log_skip @badges_webhook
"""

# The programs, for Compose and Kubernetes. In Compose a dollar is written twice.
PROGRAMS = """
{%- set manage = "./manage.py" %}
{%- set heartbeat = "/tmp/consumer-alive" %}
{%- set is_alive = "find " ~ heartbeat ~ " -mmin -2 | grep -q ." %}
{%- macro consumer(name) -%}
{{ [manage, "consume_events", "-t", "learning-badges-lifecycle", "-g", BADGES_GROUP, "--extra",
    '{"consumer_name": "' ~ name ~ '"}', "--heartbeat-file", heartbeat]|tojson }}
{%- endmacro %}
{%- set sweeper = [manage, "deliver_badges", "--watch", BADGES_SWEEP_SECONDS|string] %}
{%- set daily = ["purge_badges"] + (["prune_db_task_results"] if BADGES_WORKERS else []) %}
"""

COMPOSE = (
    PROGRAMS
    + """
{%- macro service(settings="production") %}
  environment:
    DJANGO_SETTINGS_MODULE: credentials.settings.tutor.{{ settings }}
  {%- if settings == "production" %}
  image: {{ CREDENTIALS_DOCKER_IMAGE }}
  init: true
  restart: unless-stopped
  volumes:
    - ../plugins/credentials/apps/credentials/settings:/openedx/credentials/credentials/settings/tutor:ro
  depends_on: {{ ["credentials"] + (["mysql"] if RUN_MYSQL else []) + (["redis"] if RUN_REDIS else []) }}
  {%- endif %}
{%- endmacro %}
{%- for number in range(1, BADGES_CONSUMERS + 1) %}
credentials-badges-consumer-{{ number }}:
  {{- service() }}
  command: {{ consumer("credentials-badges-consumer-" ~ number) }}
  # Longer than BADGES_CONFIG["consumer"]["grace"].
  stop_grace_period: 30s
  # New at every start, so that no old heartbeat is there.
  tmpfs: [/tmp]
  healthcheck:
    test: ["CMD-SHELL", "{{ is_alive }}"]
    interval: 30s
    timeout: 10s
    start_period: 60s
{%- endfor %}
{%- for number in range(1, BADGES_WORKERS + 1) %}
credentials-badges-worker-{{ number }}:
  {{- service() }}
  command: {{ [manage, "db_worker"]|tojson }}
  # Longer than the calls of one attempt.
  stop_grace_period: 120s
{%- endfor %}
{%- if BADGES_SWEEP_SECONDS %}
credentials-badges-sweeper:
  {{- service() }}
  command: {{ sweeper|tojson }}
  stop_grace_period: 120s
{%- endif %}
credentials-badges-daily:
  {{- service() }}
  command:
    - sh
    - -c
    - |
      trap 'kill "$$!" && wait "$$!"; exit 0' TERM INT
      while :; do
        for command in {{ daily|join(" ") }}; do
          {{ manage }} "$$command" & wait "$$!"
        done
        sleep 86400 & wait "$$!"
      done
  stop_grace_period: 60s
"""
)

COMPOSE_DEV = (
    COMPOSE.split("{%- for number", maxsplit=1)[0]
    + """
{%- set names = [] %}
{%- for number in range(1, BADGES_CONSUMERS + 1) %}{% set _ = names.append("consumer-" ~ number) %}{% endfor %}
{%- for number in range(1, BADGES_WORKERS + 1) %}{% set _ = names.append("worker-" ~ number) %}{% endfor %}
{%- if BADGES_SWEEP_SECONDS %}{% set _ = names.append("sweeper") %}{% endif %}
{%- for name in names + ["daily"] %}
credentials-badges-{{ name }}:
  {{- service("development") }}
  volumes:
    {%- for mount in iter_mounts(MOUNTS, "credentials") %}
    - {{ mount }}
    {%- else %} []
    {%- endfor %}
{%- endfor %}
"""
)

KUBERNETES = (
    PROGRAMS
    + """
{%- macro pod(name, command, grace) -%}
securityContext:
  runAsUser: 1000
  runAsGroup: 1000
terminationGracePeriodSeconds: {{ grace }}
volumes:
  - name: settings
    configMap:
      name: credentials-settings
containers:
  - name: {{ name }}
    image: {{ CREDENTIALS_DOCKER_IMAGE }}
    command: {{ command }}
    env:
      - name: DJANGO_SETTINGS_MODULE
        value: credentials.settings.tutor.production
    {%- if BADGES_SECRET %}
    envFrom:
      - secretRef:
          name: {{ BADGES_SECRET }}
    {%- endif %}
    volumeMounts:
      - mountPath: /openedx/credentials/credentials/settings/tutor/production.py
        name: settings
        subPath: production.py
    securityContext:
      allowPrivilegeEscalation: false
    resources:
      requests:
        cpu: 100m
        memory: 256Mi
      limits:
        memory: 512Mi
{%- endmacro %}
{%- macro deployment(name, command, grace, probes="") %}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ name }}
  labels:
    app.kubernetes.io/name: {{ name }}
spec:
  replicas: 1
  # The old one ends first: a consumer's name is its own.
  strategy:
    type: Recreate
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ name }}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ name }}
    spec:
      {{ pod(name, command, grace)|indent(6) }}
      {{- probes|indent(10) }}
{%- endmacro %}
{%- macro cron(name, schedule, command, longest, kept) %}
{%- if schedule %}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ name }}
  labels:
    app.kubernetes.io/name: {{ name }}
spec:
  schedule: "{{ schedule }}"
  concurrencyPolicy: Forbid
  # After a pause of the cluster as well.
  startingDeadlineSeconds: {{ longest }}
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      # It comes again by itself. A Job that failed says that a person is needed.
      backoffLimit: 0
      activeDeadlineSeconds: {{ longest }}
      # An alert of it goes with it.
      ttlSecondsAfterFinished: {{ kept }}
      template:
        metadata:
          labels:
            app.kubernetes.io/name: {{ name }}
        spec:
          restartPolicy: Never
          {{ pod(name, command, 120)|indent(10) }}
{%- endif %}
{%- endmacro %}
{%- set probes %}
startupProbe:
  exec:
    command: ["test", "-e", "{{ heartbeat }}"]
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  exec:
    command: ["sh", "-c", "{{ is_alive }}"]
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 2
{%- endset %}
{%- for number in range(1, BADGES_CONSUMERS + 1) %}
{%- set name = "credentials-badges-consumer-" ~ number %}
{{- deployment(name, consumer(name), 30, probes) }}
{%- endfor %}
{%- for number in range(1, BADGES_WORKERS + 1) %}
{{- deployment("credentials-badges-worker-" ~ number, [manage, "db_worker"]|tojson, 120) }}
{%- endfor %}
{%- if BADGES_SWEEP_SECONDS %}
{{- deployment("credentials-badges-sweeper", sweeper|tojson, 120) }}
{%- else %}
{{- cron("credentials-badges-sweep", BADGES_SWEEP_SCHEDULE, [manage, "deliver_badges"]|tojson, 3600, 3600) }}
{%- endif %}
{%- for command in daily %}
{%- set name = "credentials-badges-" ~ command.split("_")[0] %}
{{- cron(name, BADGES_PURGE_SCHEDULE, [manage, command]|tojson, 21600, 86400) }}
{%- endfor %}
{{- cron("credentials-badges-health", BADGES_HEALTH_SCHEDULE, [manage, "badges_health"]|tojson, 120, 900) }}
"""
)

# To what tutor-credentials brings.
KUBERNETES_WEB = """
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: credentials
spec:
  template:
    spec:
      containers:
        - name: credentials
          readinessProbe:
            httpGet:
              path: /health/
              port: 8000
              httpHeaders:
                - name: Host
                  value: {{ CREDENTIALS_HOST }}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          {%- if BADGES_SECRET %}
          envFrom:
            - secretRef:
                name: {{ BADGES_SECRET }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: credentials-job
spec:
  template:
    spec:
      containers:
        - name: credentials
          envFrom:
            - secretRef:
                name: {{ BADGES_SECRET }}
          {%- endif %}
"""

hooks.Filters.ENV_PATCHES.add_items(
    [
        ("credentials-dockerfile-post-python-requirements", DOCKERFILE),
        ("openedx-common-settings", BUS),
        ("openedx-lms-common-settings", LMS),
        ("credentials-settings-common", CREDENTIALS),
        ("redis-conf", REDIS),
        ("caddyfile-proxy", CADDY),
        ("local-docker-compose-services", COMPOSE),
        ("local-docker-compose-dev-services", COMPOSE_DEV),
        ("k8s-deployments", KUBERNETES),
        ("k8s-override", KUBERNETES_WEB),
    ]
)
