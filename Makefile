# Every target does all set-up itself on a machine with Python 3.11 or newer and make; the second run skips it.

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PEERS := .venv-peers
PRODUCT := models twin optimizers hil market customers scenarios service
ARGS ?=
# Files of tests that run side by side; TESTERS=0 runs them one after another in one process, as a debugger wants them.
TESTERS ?= 2

# Installing for development adds to installing for use; one environment never falls back from the first to the second.
RUN_LOCK = $(if $(wildcard $(VENV)/.ready-dev),requirements-dev.lock,requirements.lock)
SYNC = $(UV) pip sync --quiet --require-hashes --python $(BIN)/python
OURS = $(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .

# Compiled modules are kept whatever the shell says: without them pandapower alone takes twice as long to import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run serve test check format bench chaos peers lock clean browser warm
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

run: warm ## the demo park, live: emulated plant, planner, twin and page on this machine (Ctrl-C ends it)
	@$(BIN)/jouletwin demo $(ARGS)

serve: warm ## API and page for a site: make serve ARGS="SITE.yaml"
	@$(BIN)/jouletwin serve $(ARGS)

test: browser $(VENV)/.ready-dev ## check, then every test: make test ARGS="tests/hil -k codec"
	@$(MAKE) --no-print-directory --jobs 2 check warm
	@$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile $(ARGS)

warm: $(VENV)/.ready ## compile the loops for this machine, once; about a minute
	@$(BIN)/jouletwin warm

check: $(VENV)/.ready-dev ## formatting, lint, types, open doors and import rules; seconds
	@$(BIN)/ruff format --check --quiet . || { echo "some files are not formatted; correct them with: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(PRODUCT)
	@$(BIN)/lint-imports --no-cache >$(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@echo "check: formatting, lint, types, open doors and import rules are clean"

format: $(VENV)/.ready-dev ## format and sort imports
	@$(BIN)/ruff check --quiet --select I --fix . && $(BIN)/ruff format --quiet .

bench: $(VENV)/.ready-dev ## measure: make bench ARGS="day_ahead networks", all by default
	@$(BIN)/python -m benchmarks run $(or $(ARGS),all)

chaos: $(VENV)/.ready-dev ## ten thousand fault episodes against the bridge: make chaos ARGS="500 1" for 500 from seed 1
	@$(BIN)/python -m tests.chaos $(or $(ARGS),10000)

peers: $(PEERS)/.ready ## the environment of other people's programs that the benchmarks compare with

lock: $(UV) pyproject.toml ## renew the lock files; make lock ARGS=--upgrade takes the newest versions
	@sh .ci/lock $(UV) $(ARGS)

browser: ## Chromium and a Chinese font where they may be installed; says what is missing elsewhere
	@sh .ci/needs browser || echo "the browser tests will be skipped"
	@sh .ci/needs font || true

clean: ## remove both environments and every cache
	@rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(UV): requirements-setup.lock
	@python=$$(sh .ci/needs python) && echo "setting up $(VENV) with $$python ..." && "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.lock
	@touch $@

$(VENV)/.ready: $(UV) requirements.lock pyproject.toml
	@$(SYNC) $(RUN_LOCK) && $(OURS)
	@touch $@

$(VENV)/.ready-dev: $(UV) requirements-dev.lock pyproject.toml
	@$(SYNC) requirements-dev.lock && $(OURS)
	@touch $@ $(VENV)/.ready

$(PEERS)/.ready: $(UV) benchmarks/requirements-peers.lock
	@$(UV) venv --quiet --clear --python $(BIN)/python $(PEERS)
	@$(UV) pip sync --quiet --require-hashes --python $(PEERS)/bin/python benchmarks/requirements-peers.lock
	@mkdir -p $(PEERS)/node && cp benchmarks/peerside/package.json $(PEERS)/node/
	@command -v npm >/dev/null && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --omit=optional \
		--prefix $(PEERS)/node || echo "without npm the Modbus peers on Node are left out"
	@touch $@
