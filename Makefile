.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean setup setup-dev

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## the whole way on this machine: train, deploy, answer, tear down, prove it
	@.venv/bin/slipway demo

test: setup-dev ## every test, with the real Pulumi engine, no network but the loopback
	@.venv/bin/pytest -n auto --maxprocesses 4 --dist worksteal

check: setup-dev ## lint, format, types, import rules
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup-dev ## what is measured, and on what machine
	@for script in benchmarks/*.py; do echo "== $$script"; .venv/bin/python $$script || exit 1; done

clean: ## stop the embedded AWS, remove .venv and everything generated
	@if [ -x .venv/bin/slipway ]; then .venv/bin/slipway local stop; fi
	@rm -rf .venv .slipway .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@tools/setup.sh

setup-dev:
	@tools/setup.sh dev
