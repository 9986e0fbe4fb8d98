# The commands that people, hooks and CI share. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
SEEDS ?= 500
ARGS ?=

BIN := $(VENV)/bin
RUNS := $(VENV)/.ganglion
DEVELOPS := $(VENV)/.ganglion-dev
BENCHES = $(sort $(filter-out bench/_%,$(wildcard bench/*.py)))

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint types imports reference architecture simulate bench bench-peers docs clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEVELOPS) ## Create the virtual environment with everything a developer needs

demo: $(RUNS) ## Run the whole loop on this machine (ARGS=--quick, ARGS=--keep)
	$(BIN)/ganglion demo $(ARGS)

test: $(DEVELOPS) ## Run every test (ARGS="-k outbox")
	$(BIN)/python -m pytest $(ARGS)

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

simulate: $(DEVELOPS) ## Try many seeds in the simulated world (SEEDS=5000)
	$(BIN)/python -m pytest tests/simulation --seeds $(SEEDS) $(ARGS)

bench: $(DEVELOPS) ## Measure; results go to bench/results
	@set -e; for bench in $(BENCHES); do echo "== $$bench"; $(BIN)/python $$bench; done

bench-peers: $(DEVELOPS) ## Measure serving beside five other servers (installs 2 GB of them below .peers)
	$(BIN)/python bench/peers/compare.py $(ARGS)

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
