# Everything a checkout needs, from nothing: each target sets up first what it uses. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin

# Without a display the monitor paints its page offscreen and leaves a picture of it.
ifeq ($(DISPLAY)$(WAYLAND_DISPLAY),)
REPLAY := QT_QPA_PLATFORM=offscreen $(BIN)/ecgstream replay --speed 8 --snapshot build/monitor.png --force
else
REPLAY := $(BIN)/ecgstream replay
endif

.PHONY: help run test check bench soak peer results clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 8

run: .venv/ready-to-run ## open the monitor on the bundled record (no display: a picture in build/)
	@mkdir -p build
	$(REPLAY)

test: .venv/ready-to-test ## run all tests
	$(BIN)/python -m pytest

check: .venv/ready-to-test ## lint, format, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/ready-to-test ## measure speed and memory, and put them into the docs (minutes)
	$(BIN)/python -m tools.bench
	$(BIN)/python -m tools.tables

soak: .venv/ready-to-test ## the slow tests: long records, memory, an hour of stream (minutes)
	$(BIN)/python -m pytest -n 0 -m slow

peer: .venv-peer/ready ## try the LSL side with an implementation that is not ours: mne-lsl, LabRecorder (minutes)
	$(BIN)/python -m pytest -n 0 -m peer tests/peer

results: .venv/ready-to-test ## judge the model on PTB-XL's test fold, and put the figures into the docs (minutes)
	@mkdir -p docs/results
	for leads in I,II I,II,V2 I,II,V3 I,II,V4 I,II,V1,V4 I,II,V2,V5; do \
		$(BIN)/ecgstream evaluate --data "$${ECGSTREAM_DATA:-../shared/data}" --leads $$leads --json docs/results/$$leads.json --force; \
	done
	$(BIN)/python -m tools.tables

clean: ## remove the environment and everything made by these targets
	rm -rf .venv .venv-peer build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready-to-run: pyproject.toml tools/setup ecgstream/libraries.py
	tools/setup run
	touch $@

.venv/ready-to-test: pyproject.toml tools/setup ecgstream/libraries.py
	tools/setup test
	touch $@ .venv/ready-to-run

.venv-peer/ready: .venv/ready-to-test pyproject.toml tools/peer
	tools/peer
	touch $@
