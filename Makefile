# Two commands are enough on a machine with Python >= 3.11, make and git: `make demo` and `make test`.
# Everything is installed into .venv from hash-locked files; Node comes from a wheel, PostgreSQL too.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup console demo test check bench fmt lock clean

PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: .venv/.ready console ## Install everything into .venv (quick when nothing changed)

demo: setup ## See it work: api, workers, agents that ask a reviewer, switches, a kill, a budget used up
	@$(PY) -m examples.demo $(ARGS)

test: setup ## Run every test: unit, database, flow, contract, console, web (ARGS="unit db" picks stages)
	@$(PY) -m scripts.test $(ARGS)

check: setup ## Style, types, layers, names, file lengths, links, the console's lint
	@$(PY) -m scripts.check $(ARGS)

bench: setup ## Measure; `make bench` lists the benches, ARGS="engine --help" runs one
	@$(PY) -m bench $(ARGS)

fmt: setup ## Format the Python code and sort its imports
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format .

lock: .venv/.ready ## Write the lock files anew (UPGRADE=1 moves every pin to the newest)
	@scripts/lock.sh

console: .venv/.ready ## Build the console into the package (does nothing when web/ has not changed)
	@$(PY) hatch_build.py

clean: ## Remove what was built or installed here (not .quarterdeck, where dev keeps its database)
	rm -rf .venv build dist web/node_modules web/dist src/quarterdeck/console/assets
	rm -rf .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis test-results
	find src tests scripts examples bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The stamp is written last: an interrupted set-up starts again.
.venv/.ready: requirements-dev.lock pyproject.toml scripts/python.sh
	@echo "setup: installing into .venv (two or three minutes the first time)"
	@$(PY) -m pip --version >/dev/null 2>&1 || \
		{ python=$$(scripts/python.sh) && echo "setup: with $$python" && "$$python" -m venv --clear .venv; }
	@$(PY) -m pip install --require-hashes --requirement requirements-dev.lock
	@$(PY) hatch_build.py
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
