# The commands that people, hooks and CI share. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
SEEDS ?= 500
SOAK ?= 4000
FLEETS ?= 20000
ROLLOUTS ?= 3200
SUITE ?= ../tuf-conformance
ARGS ?=

BIN := $(VENV)/bin
RUNS := $(VENV)/.ganglion
DEVELOPS := $(VENV)/.ganglion-dev
BENCHES = $(sort $(filter-out bench/_%,$(wildcard bench/*.py)))

# Tests start a thousand processes. Without compiled files each of them would compile every module that it imports.
unexport PYTHONDONTWRITEBYTECODE

# Long stories of real processes, and those that take minutes each: `make simulate` and `make soak` run the latter.
STORIES := tests/e2e/test_bad_versions.py tests/e2e/test_demo.py tests/e2e/test_replay.py
CAMPAIGNS := tests/e2e/test_reality.py tests/e2e/test_update_kills.py

.DEFAULT_GOAL := help
.PHONY: help protos setup demo test stories check format lint types imports reference architecture simulate fuzz fuzz-coverage soak soak-fleet conformance bench bench-peers docs clean audit

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEVELOPS) ## Create the virtual environment with everything a developer needs

demo: $(RUNS) ## Run the whole loop on this machine (ARGS=--quick, ARGS=--keep)
	$(BIN)/ganglion demo $(ARGS)

test: $(DEVELOPS) ## Run every test of what ganglion does, files side by side (ARGS="-k outbox"); `check` has those of the source
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/architecture $(STORIES:%=--ignore %) $(CAMPAIGNS:%=--ignore %) $(ARGS)

stories: $(DEVELOPS) ## Run the long stories with real processes: bad versions, bad lines, every promise of the demo
	$(BIN)/python -m pytest -n 3 --dist loadfile $(STORIES) $(ARGS)

check: lint types imports reference architecture ## Check style, types, layers, reference pages and limits

format: $(DEVELOPS) ## Format the code and repair what ruff can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(DEVELOPS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEVELOPS)
	$(BIN)/mypy

imports: $(DEVELOPS)
	$(BIN)/lint-imports

reference: $(DEVELOPS)
	$(BIN)/python tools/reference.py --check

architecture: $(DEVELOPS)
	$(BIN)/python -m pytest tests/architecture

simulate: $(DEVELOPS) ## Try many seeds in the simulated world, and compare it with real nodes (SEEDS=5000)
	$(BIN)/python -m pytest tests/simulation tests/e2e/test_reality.py --seeds $(SEEDS) $(ARGS)

fuzz: $(DEVELOPS) ## Try a million hostile inputs (ARGS="--cases 10000 --seed 7 --target http")
	PYTHONPATH=tests $(BIN)/python tools/fuzz_campaign.py $(ARGS)

soak: $(DEVELOPS) ## Kill nodes a hundred thousand times, and trouble a thousand simulated fleets (SOAK=400 FLEETS=400 ROLLOUTS=400)
	$(BIN)/python -m pytest tests/simulation/test_update_kills.py tests/e2e/test_update_kills.py --seeds $(SOAK) -o faulthandler_timeout=7200 $(ARGS)
	$(BIN)/python -m pytest tests/simulation/test_world_soak.py --seeds $(FLEETS) -o faulthandler_timeout=7200 $(ARGS)
	REPLAY_MINUTE_S=60 $(BIN)/python -m pytest tests/e2e/test_replay.py -o faulthandler_timeout=36000 $(ARGS)
	$(BIN)/python -m pytest tests/simulation/test_world_rollouts.py tests/simulation/test_world_experiments.py --seeds $(ROLLOUTS) -o faulthandler_timeout=7200 $(ARGS)

soak-fleet: $(DEVELOPS) ## Roll four bad versions out to twenty real nodes, and see each caught
	FLEET_NODES=20 FLEET_REPORT=bench/results/bad_versions.json \
	  $(BIN)/python -m pytest tests/e2e/test_bad_versions.py --capture no -o faulthandler_timeout=3600 $(ARGS)

conformance: $(DEVELOPS) ## Ask the node's TUF client what the public suite asks (SUITE=path of its checkout)
	PYTHONPATH=$(SUITE) $(BIN)/python -m pytest $(SUITE)/tuf_conformance --rootdir $(SUITE) \
	  --entrypoint "$(abspath $(BIN))/python $(CURDIR)/tests/conformance/tuf_client" $(ARGS)

fuzz-coverage: $(DEVELOPS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	PYTHONPATH=tests $(BIN)/python tools/fuzz_coverage.py $(ARGS)

bench: $(DEVELOPS) ## Measure; results go to bench/results
	@set -e; for bench in $(BENCHES); do echo "== $$bench"; $(BIN)/python $$bench; done

bench-peers: $(DEVELOPS) ## Measure serving beside five other servers (installs 2 GB of them below .peers)
	$(BIN)/python bench/peers/compare.py $(ARGS)

audit: $(DEVELOPS) ## Ask whether an installed package has a known hole (needs the network)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable --progress-spinner off

protos: $(DEVELOPS) ## Compile the .proto texts of the gRPC edge again
	$(BIN)/python tools/protos.py

docs: $(DEVELOPS) ## Write docs/reference again from the code
	$(BIN)/python tools/reference.py

clean: ## Remove the virtual environment, caches and built files
	rm -rf $(VENV) .peers build dist demo-report.html bench/results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last, so an interrupted installation is made again.
$(RUNS): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[hub,factory]'
	@touch $@

$(DEVELOPS): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(RUNS)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	"Ganglion needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
