# Two commands do everything on a machine with Python 3.11+, pip and make: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ORDERS ?= 2000
# One more than CI has processors: some tests wait for servers, schedules and processes that they started.
WORKERS ?= 3

# Nothing phones home: no telemetry of Prefect or Great Expectations, no version checks.
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export GX_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Runs start processes that start in half the time with compiled modules at hand, whatever the shell they are called from says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test check bench accuracy soak docs lock clean

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

$(READY): requirements.lock requirements/uv.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tieout needs Python 3.11 or newer; say which one: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV) from the hashed lock (once) …"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@if $(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/uv.lock 2>/dev/null; then \
	   $(BIN)/uv pip sync -q --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock requirements/uv.lock && \
	   $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	 else \
	   $(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements.lock && \
	   $(BIN)/python -m pip install -q --no-deps --no-build-isolation -e . ; \
	 fi
	@touch $(READY)

demo: $(READY)  ## A seeded shop's night twice and a month's close, against stand-ins over HTTP
	@$(BIN)/tieout demo --orders $(ORDERS)

# The checks keep one processor for half a minute; they go on beside the tests, and are heard after them.
test: $(READY)  ## Everything CI runs: lint, types, floor plan, all tests
	@said=$$(mktemp); $(MAKE) -s check >$$said 2>&1 & checking=$$!; tested=0; checked=0; \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder || tested=$$?; \
	  wait $$checking && echo "Lint, types and the floor plan: passed" || { checked=$$?; cat $$said; }; rm -f $$said; exit $$((tested ? tested : checked))

check: $(READY)  ## Lint, types and the floor plan
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## Orders per second and memory, beside plain DuckDB in the same run (SIZE=1000000)
	@$(BIN)/python tests/bench/run.py --orders $(or $(SIZE),1000000)
	@$(BIN)/python tests/bench/bench_intacct_xml.py
	@$(BIN)/python tests/bench/bench_posting.py

accuracy: $(READY)  ## Precision and recall per outcome code over worlds with planted differences; writes docs/accuracy.md
	@$(BIN)/python tests/accuracy/measure.py --write

soak: $(READY)  ## Random faults, kills and second runners against the outbox (SCHEDULES=1000 JOBS=2)
	@$(BIN)/python tests/soak/run.py --schedules $(or $(SCHEDULES),1000) --jobs $(or $(JOBS),2)

docs: $(READY)  ## Write docs/tables.md and docs/rules.md anew from contracts and spec tests
	@$(BIN)/python docs/build.py

lock: $(READY)  ## Resolve requirements.lock anew
	@$(BIN)/uv pip compile requirements/dev.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock
	@$(BIN)/uv pip compile requirements/uv.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements/uv.lock

clean:  ## Remove what was produced
	@rm -rf demo-output state .bench .hypothesis .mypy_cache .ruff_cache .import_linter_cache dist
