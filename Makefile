# The one way to set Rivermeet up, run it and test it. Needs Python 3.11 or 3.12, make and a C compiler; no root.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.8
TOOLS := .rivermeet-tools
PYTHON := $(shell for name in python3.11 python3.12 python3; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && command -v $$name && break; done)
UV := $(shell command -v uv || echo $(TOOLS)/bin/uv)
RUN := .venv/bin
ARGS ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: install
install: .venv/installed ## Make the environment and fetch the servers' jars
	@$(RUN)/python -m compileall -q batch dags feature_store infra schemas serving streams
	@$(RUN)/rivermeet fetch

.PHONY: demo
demo: install ## Start everything on demo data and open the dashboard (ARGS=--exit ends it again)
	@$(RUN)/rivermeet demo $(ARGS)

.PHONY: test
test: install browser ## Check the style and run all tests, with coverage (ARGS go to pytest)
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

.PHONY: pytest
pytest:
	@$(RUN)/pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

.PHONY: browser
browser: .venv/installed ## Install Chromium for the browser tests where there is none; they are skipped without it
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
		|| $(RUN)/playwright install chromium --with-deps \
		|| $(RUN)/playwright install chromium \
		|| echo "no Chromium could be installed: the browser tests will be skipped" >&2

.PHONY: lint
lint: .venv/installed ## Check style, types and import rules
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

.PHONY: up
up: install ## Start the local stack
	@$(RUN)/rivermeet up $(ARGS)

.PHONY: down
down: .venv/installed ## End the local stack; ARGS=--wipe deletes its data too
	@$(RUN)/rivermeet down $(ARGS)

.PHONY: clean
clean: ## Delete the stack, the environment and what tools left behind; the cache of jars stays
	@if [ -x $(RUN)/rivermeet ]; then $(RUN)/rivermeet down --wipe; fi
	rm -rf .venv $(TOOLS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov

.venv/installed: pyproject.toml uv.lock | $(UV)
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or 3.12 is needed, and neither is on the PATH" >&2; exit 1; fi
	@$(UV) sync --frozen --compile-bytecode --python "$(PYTHON)"
	@touch $@

$(TOOLS)/bin/uv:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or 3.12 is needed, and neither is on the PATH" >&2; exit 1; fi
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet "uv==$(UV_VERSION)"
