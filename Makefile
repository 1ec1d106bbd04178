# BAT OS. `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup
SEED ?= 1

COMPOSE = docker compose -f docker-compose.yml \
  $(if $(EMBEDDED),-f deploy/compose.embedded.yml) $(if $(GPU),-f deploy/compose.gpu.yml) \
  $(if $(OBSERVE),--profile observability)
$(if $(OBSERVE),$(eval export OTEL_EXPORTER_OTLP_ENDPOINT ?= http://otel-collector:4317))

.PHONY: help setup lock sbom data-profile demo test test-fast e2e check protos up down logs clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

data-profile: $(STAMP) ## Install numpy and pandas for sandboxes of profile data
	@$(BIN)/python -m deploy.locked install guest-data --target .cache/sandbox-packages/data
	@echo "data-profile: executors that start from now on have it"

setup: $(STAMP) ## Make the virtual environment and fetch gVisor

$(STAMP): pyproject.toml $(wildcard deploy/locks/*.txt) deploy/locked.py deploy/install_gvisor.py
	@"$(PYTHON)" deploy/check_python.py
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "setup: installing Python packages (a few minutes the first time)"
	@$(BIN)/python -m deploy.locked install tools
	@$(BIN)/python -m deploy.locked install dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
	  --no-build-isolation --editable .
	@$(BIN)/python -m deploy.locked install signatures --target .cache/signatures
	@$(BIN)/python -m deploy.install_gvisor
	@touch $@

lock: ## Pin every package and its hashes anew, from pyproject.toml and constraints.txt
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m deploy.locked install tools
	@$(BIN)/python -m deploy.lock

sbom: $(STAMP) ## List what each built image holds, as CycloneDX, in dist/sbom
	@$(BIN)/python -m deploy.sbom dist/sbom

demo: $(STAMP) ## Run the whole loop on real input; SEED=n draws other facts and specs
	@$(BIN)/python -m demo --seed $(SEED) $(DEMO_FLAGS)

up: ## Build and start all services in containers; EMBEDDED=1 without Ollama, GPU=1 with a GPU, OBSERVE=1 with Grafana
	@$(COMPOSE) up --build --detach --wait

down: ## Stop the containers; their volumes stay
	@$(COMPOSE) --profile demo --profile observability down

logs: ## Follow the containers' logs
	@$(COMPOSE) logs --follow --tail 100

test: $(STAMP) ## Run all tests that need no Docker
	@echo "test: the container tests are left out; run them with: make e2e"
	@$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/e2e

e2e: $(STAMP) ## Run the container tests; needs Docker with Compose (20 minutes at most)
	@$(BIN)/python -m pytest tests/e2e --timeout 900
	@echo "e2e: the sandbox's tests once more, in its container"
	@BATOS_TEST_SANDBOX_RUNTIME=container $(BIN)/python -m pytest -n 2 tests/abuse/sandbox_executor
	@echo "e2e: and once more, with sandboxes booted by Docker"
	@BATOS_TEST_SANDBOX_RUNTIME=docker $(BIN)/python -m pytest -n 2 --dist loadfile \
	  tests/abuse/sandbox_executor tests/integration/sandbox_executor/test_execute.py \
	  tests/integration/sandbox_executor/test_files.py \
	  tests/integration/sandbox_executor/test_stream.py

test-fast: $(STAMP) ## Run the tests that take under a minute together
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" tests/unit tests/contract

check: $(STAMP) ## Lint, type-check, check layering, protos and the drift of stubs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/buf lint protos
	@PYTHON=$(CURDIR)/$(BIN)/python protos/check_drift.sh

protos: $(STAMP) ## Regenerate the gRPC stubs and the reference in docs/api
	@PYTHON=$(CURDIR)/$(BIN)/python protos/generate.sh
	@$(BIN)/python docs/api/generate.py

clean: ## Remove what the build and the demo made; keeps .venv and .cache
	rm -rf .data .pytest_cache .mypy_cache .ruff_cache build dist
