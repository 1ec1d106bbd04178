# BAT OS. `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup
SEED ?= 1

.PHONY: help setup demo test test-fast check protos clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the virtual environment and fetch gVisor

$(STAMP): pyproject.toml constraints.txt deploy/install_gvisor.py
	@"$(PYTHON)" deploy/check_python.py
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "setup: installing Python packages (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --group dev --editable '.[all]'
	@$(BIN)/python -m deploy.install_gvisor
	@touch $@

demo: $(STAMP) ## Run the whole loop on real input; SEED=n draws other facts and specs
	@$(BIN)/python -m demo --seed $(SEED) $(DEMO_FLAGS)

test: $(STAMP) ## Run all tests that need no Docker
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: $(STAMP) ## Run the tests that take under a minute together
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" tests/unit tests/contract

check: $(STAMP) ## Lint, type-check, check layering, protos and the drift of stubs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/buf lint protos
	@PYTHON=$(CURDIR)/$(BIN)/python protos/check_drift.sh

protos: $(STAMP) ## Regenerate the gRPC stubs
	@PYTHON=$(CURDIR)/$(BIN)/python protos/generate.sh

clean: ## Remove what the build and the demo made; keeps .venv and .cache
	rm -rf .data .pytest_cache .mypy_cache .ruff_cache build dist
