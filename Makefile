# Counterpoise. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# PYTHON=python3.12 takes that interpreter, in a virtual environment of its own.
PYTHON ?=
export VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
CONF ?= conf/simulated.yaml
RUN_DATE ?=
ARGS ?=
JOB_ARGS = $(foreach file,$(CONF),--conf $(file)) $(if $(RUN_DATE),--run-date $(RUN_DATE)) $(ARGS)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## check Java and Python, build .venv from the lock, fetch Delta's JARs (PYTHON=python3.12)
	@.ci/setup

.PHONY: nightly
nightly: setup ## run the whole chain (CONF="FILE ...", RUN_DATE=YYYY-MM-DD, ARGS="--from train ...")
	@$(BIN)/counterpoise nightly $(JOB_ARGS)

.PHONY: test
test: setup ## all tests, in two processes with a Spark session each (PYTHON=python3.12)
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-fast
test-fast: setup ## the tests that need no Spark
	@$(BIN)/python -m pytest -m "not spark" $(ARGS)

.PHONY: lint
lint: setup ## ruff, ruff format, mypy --strict on the packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: format
format: setup ## format and fix what ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: bench
bench: setup ## measure feed, scoring and the nightly run as ratios (see bench/README.md)
	@$(BIN)/python -m bench $(ARGS)

.PHONY: wheel
wheel: ## build dist/*.whl for spark-submit and Databricks (needs neither Java nor .venv)
	@rm -rf build dist
	@.ci/uv build --wheel --out-dir dist --quiet
	@ls dist/*.whl

.PHONY: bundle
bundle: setup ## write the tasks of databricks.yml anew, one per step of the chain
	@$(BIN)/python -m jobs.platform.bundle databricks.yml

.PHONY: docs
docs: setup ## write the generated pages anew: conf keys, tables, answers to bad input
	@COUNTERPOISE_WRITE_DOCS=1 $(BIN)/python -m pytest --quiet tests/conf/test_pages.py \
	  tests/features/test_docs.py tests/jobs/test_broken_inputs.py

.PHONY: lock
lock: ## resolve requirements.lock again, for both Pythons; keeps what still fits (ARGS=--upgrade)
	@.ci/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock $(ARGS)

.PHONY: clean
clean: ## remove build output and the warehouses (not .venv*)
	@rm -rf build dist warehouse spark-warehouse .pytest_cache .mypy_cache .ruff_cache .hypothesis
