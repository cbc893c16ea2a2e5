# Needs Python 3.11 or newer, and make. Everything else is installed into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Quiet, unless it fails.
define install
$(BIN)/python -m pip install --disable-pip-version-check $(1) >$(VENV)/install.log 2>&1 || { tail -n 40 $(VENV)/install.log; exit 1; }
endef
# A stamp a purpose, so that neither the demo nor a wheel waits for linters.
DEMO := $(VENV)/.installed-demo
BUILD := $(VENV)/.installed-build
DEV := $(VENV)/.installed-dev
MYSQL := $(VENV)/.installed-mysql
PYTEST := env PYTHONDEVMODE=1 $(BIN)/python -m pytest
# Two processes, because most acceptance tests wait; those that keep all cores busy are one group, and run in one of them.
BESIDE := -n 2 --dist loadgroup --durations=15 --durations-min=10
ON := $(BIN)/python -m tests.servers --optional
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(DEMO) ## Run the main job, end to end, on this machine; KEEP=1 keeps it running, with the admin
	@$(BIN)/python -m demo $(if $(KEEP),--keep)

.PHONY: sandbox
sandbox: $(DEMO) ## Run the provider sandbox alone: a stand-in for Credly and Accredible
	@$(BIN)/python -m demo.sandbox $(ARGS)

.PHONY: test
test: $(DEV) system-packages ## Run the whole suite on SQLite and a real Redis; ARGS="..." goes to pytest
	@$(PYTEST) $(BESIDE) $(ARGS)

.PHONY: test-all
test-all: $(DEV) system-packages $(MYSQL) ## Run the suite on PostgreSQL, on MariaDB and, whole, on SQLite; what CI runs
	@echo "== Integration and acceptance tests on PostgreSQL"
	@$(ON) postgresql -- $(PYTEST) -q $(BESIDE) tests/integration tests/acceptance $(ARGS)
	@echo "== Integration and acceptance tests on MariaDB"
	@$(ON) mariadb -- $(PYTEST) -q $(BESIDE) tests/integration tests/acceptance $(ARGS)
	@echo "== The whole suite on SQLite"
	@$(PYTEST) $(BESIDE) $(ARGS)

.PHONY: test-fast
test-fast: $(DEV) ## Run the unit and integration tests on SQLite alone; ARGS="..." goes to pytest
	@$(PYTEST) -q tests/unit tests/integration $(ARGS)

.PHONY: test-matrix
test-matrix: $(DEV) system-packages ## Run the suite on every Python and Django of the matrix that is installed (tox)
	@$(BIN)/tox run --skip-missing-interpreters true

.PHONY: openapi
openapi: $(DEV) ## Write docs/openapi.yaml anew: the OpenAPI document of the REST API
	@$(BIN)/python scripts/openapi.py

.PHONY: coverage
coverage: $(DEV) ## Measure branch coverage of the package
	@$(PYTEST) -q --cov --cov-report=term --cov-report=html $(ARGS)

.PHONY: quality
quality: $(DEV) ## Check style, types, import contracts, migrations, packaging metadata and the length of modules
	@echo "== Style";            $(BIN)/ruff check .
	@echo "== Format";           $(BIN)/ruff format --check .
	@echo "== Spelling";         $(BIN)/codespell
	@echo "== Types";            $(BIN)/python -m mypy
	@echo "== Import contracts"; $(BIN)/lint-imports --no-cache
	@echo "== Migrations";       $(BIN)/python manage.py makemigrations --check --dry-run --skip-checks
	@echo "== System checks";    $(BIN)/python demo/manage.py check --fail-level WARNING
	@echo "== Module length";    $(BIN)/python scripts/module_length.py
	@echo "== Documentation";    $(BIN)/sphinx-build -W -q -b html docs docs/_build/html

.PHONY: format
format: $(DEV) ## Format the code, and mend what can be mended by itself
	@$(BIN)/ruff check --fix . || true
	@$(BIN)/ruff format .

.PHONY: bench
bench: $(DEV) system-packages $(MYSQL) ## Measure what an event, a sweep, a delivery, the consumer, a webhook, an adoption cost (half an hour)
	@status=0; \
	$(BIN)/python -m benchmarks events || status=1; \
	$(BIN)/python -m tests.servers --optional postgresql -- $(BIN)/python -m benchmarks sweep || status=1; \
	$(BIN)/python -m tests.servers --optional mariadb -- $(BIN)/python -m benchmarks sweep || status=1; \
	$(BIN)/python -m tests.servers --optional postgresql -- $(BIN)/python -m benchmarks workers || status=1; \
	$(BIN)/python -m tests.servers --optional postgresql -- $(BIN)/python -m benchmarks consumer || status=1; \
	$(BIN)/python -m tests.servers --optional postgresql -- $(BIN)/python -m benchmarks memory || status=1; \
	$(BIN)/python -m tests.servers --optional mariadb -- $(BIN)/python -m benchmarks consumer || status=1; \
	$(BIN)/python -m tests.servers --optional postgresql -- $(BIN)/python -m benchmarks webhooks || status=1; \
	$(BIN)/python -m benchmarks adoption || status=1; \
	$(BIN)/python -m tests.servers --optional mariadb -- $(BIN)/python -m benchmarks adoption || status=1; \
	exit $$status

.PHONY: docs
docs: $(DEV) ## Build the documentation into docs/_build/html
	@$(BIN)/sphinx-build -W -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

.PHONY: messages
messages: $(DEV) ## Refresh the translation catalogs (needs gettext)
	@cd badges && $(abspath $(BIN))/django-admin makemessages -l de -l en --no-obsolete --add-location file
	@cd badges && $(abspath $(BIN))/django-admin compilemessages

.PHONY: dist
dist: $(BUILD) ## Build the source distribution and the wheel into dist/
	@rm -rf build dist
	@$(BIN)/python -m build --outdir dist . >$(VENV)/build.log 2>&1 || { tail -n 40 $(VENV)/build.log; exit 1; }
	@tail -n 1 $(VENV)/build.log

.PHONY: system-packages
system-packages: ## Install what the tests take from the system: servers, a browser, proxies (as root, with apt-get)
	@scripts/system-packages.sh

.PHONY: clean
clean: ## Remove the virtualenv, and all that was built or left by a run
	@rm -rf $(VENV) .tox build dist *.egg-info docs/_build demo/var .coverage htmlcov
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "Making $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(call install,--upgrade pip)

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV)"
	@$(call install,--editable ".[demo]")
	@touch $@

$(BUILD): pyproject.toml | $(BIN)/python
	@$(call install,"build>=1.2")
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing what development needs into $(VENV) (a few minutes when it is new)"
	@$(call install,--editable ".[dev]")
	@touch $@ $(DEMO) $(BUILD)

# Its driver is compiled, which needs headers that may not be there. tests/servers.py decides whether that is a failure.
$(MYSQL): pyproject.toml | system-packages $(DEV)
	@if pkg-config --exists libmariadb 2>/dev/null; then $(call install,--editable ".[mysql]"); touch $@; fi
