.DEFAULT_GOAL := help
.PHONY: help demo test rehearse check bench clean setup setup-dev

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## the whole way on this machine: train, deploy, answer, tear down, prove it
	@.venv/bin/slipway demo

# One more than there are cores: the longest tests wait for servers to start and fleets to move.
WORKERS := $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 5 ? cores + 1 : 6)))

test: setup-dev ## the tests, with the real Pulumi engine, no network but the loopback
	@.venv/bin/pytest -n $(WORKERS) --dist worksteal -m "not rehearsal"

rehearse: setup-dev ## the tests that take minutes each: all updates, prod from nothing to nothing, searches, interruptions
	@.venv/bin/pytest -n $(WORKERS) --dist worksteal -m rehearsal

check: setup-dev ## lint, format, types, import rules
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup-dev ## what is measured, and on what machine
	@for script in benchmarks/*.py; do echo "== $$script"; PYTHONSAFEPATH=1 .venv/bin/python $$script || exit 1; done

clean: ## stop the embedded AWS, remove .venv and everything generated
	@if [ -x .venv/bin/slipway ]; then .venv/bin/slipway local stop; fi
	@rm -rf .venv .slipway .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@tools/setup.sh

setup-dev:
	@tools/setup.sh dev
