# All a newcomer needs: make demo, make test. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
NODE := tests/independent/js
LOCK = $(BIN)/uv pip compile pyproject.toml --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-header --no-annotate --quiet

.PHONY: help setup demo train up test check format lock lock-node pictures clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /: /'

setup: $(VENV)/.ready ## .venv with everything, from the hash-locked requirements

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Waymark needs Python 3.11 or later; name one with make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked requirements into $(VENV) (once)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## a simulated month goes the whole way on this machine (ARGS="--incidents 1000")
	@$(BIN)/waymark demo $(ARGS)

train: setup ## what training and measuring the linkage needs besides (splink, duckdb, pandas)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-train.lock

up: setup ## the whole system in this terminal, until Ctrl-C
	@$(BIN)/waymark up $(ARGS)

test: setup ## all tests, on the real Kafka and PostgreSQL (ARGS="-k triage")
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: setup ## formatter, linter, strict types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: setup ## put everything into the one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## write the locks anew from pyproject.toml: what runs, what is needed to work on it, and to train
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --extra dev --output-file requirements-dev.lock
	@$(LOCK) --extra dev --extra train --output-file requirements-train.lock

lock-node: ## write the lock of the independent checkers that are JavaScript anew, without addresses
	@cd $(NODE) && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --silent
	@cd $(NODE) && node strip-addresses.mjs

PAGES := tests/e2e/test_screening_pages.py tests/e2e/test_links_pages.py tests/e2e/test_meetings_in_browser.py \
	tests/e2e/test_ops_pages.py
pictures: setup ## take the pictures of the pages in docs/pages.md anew, while their tests run
	@mkdir -p docs/pictures/pages
	@WAYMARK_TEST_PICTURES=docs/pictures/pages $(BIN)/python -m pytest -q -n 0 $(PAGES)
	@cd docs/pictures/pages && for one in *.jpg; do grep -q "$$one" ../../pages.md || rm "$$one"; done

clean: ## remove what make made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
