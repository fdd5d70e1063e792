# Every target but `demo` works in the virtual environment $(VENV), which it makes itself.

VENV = .venv
DEMO_FILE = spec-fixtures/valid/query-change-set-query.http
FUZZ_SECONDS = 60
FUZZ_SEEDS = $(wildcard fuzz/corpus fuzz/seeds \
	spec-fixtures/valid spec-fixtures/invalid spec-fixtures/captured)

# PYTHON=... chooses an interpreter; otherwise the first of these that is 3.11 or later.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for name in python3 python3.11 python3.12 python3.13 python3.14 python3.15 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; \
	done)
endif

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help demo test check thorough fuzz bench docs clean python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: python ## show a captured batch, from the checkout as it stands
	"$(PYTHON)" -m odata_batch show "$(DEMO_FILE)"

test: $(VENV)/ready ## run the tests; every branch of the package must be covered
	COVERAGE_FILE="$(VENV)/coverage" "$(VENV)/bin/python" -m coverage run -m pytest
	COVERAGE_FILE="$(VENV)/coverage" "$(VENV)/bin/python" -m coverage report

check: $(VENV)/ready ## check format, lint and types
	"$(VENV)/bin/python" -m ruff format --check .
	"$(VENV)/bin/python" -m ruff check .
	"$(VENV)/bin/python" -m mypy --strict

thorough: $(VENV)/ready ## run the tests with far more generated examples
	HYPOTHESIS_PROFILE=thorough "$(VENV)/bin/python" -m pytest

fuzz: $(VENV)/atheris ## fuzz the decoders for FUZZ_SECONDS (60); what it finds is kept in .fuzz
	mkdir -p .fuzz/corpus
	"$(VENV)/bin/python" fuzz/fuzz_decode.py -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
		-artifact_prefix=.fuzz/ .fuzz/corpus $(FUZZ_SEEDS)

bench: $(VENV)/ready ## time decoding and encoding beside the floors
	"$(VENV)/bin/python" benchmarks/bench.py
	"$(VENV)/bin/python" benchmarks/graphs.py

docs: $(VENV)/ready ## write the pages of docs/ that are made from the code
	"$(VENV)/bin/python" docs/generate.py

clean: ## remove everything that these targets made
	rm -rf .venv .venv-* .coverage .fuzz .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find odata_batch tests benchmarks docs fuzz examples -name __pycache__ -prune \
		-exec rm -rf {} + 2>/dev/null || true

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		if [ -n "$(PYTHON)" ]; then echo "$(PYTHON) is not Python 3.11 or later."; \
		else echo "No Python 3.11 or later was found."; fi; \
		echo "Name one: make PYTHON=/path/to/python3.11 ..."; exit 1; } >&2

# Made anew whenever pyproject.toml changes, so that nothing stale is left in it.
$(VENV)/ready: pyproject.toml | python
	"$(PYTHON)" -m venv --clear "$(VENV)"
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch "$@"

$(VENV)/atheris: $(VENV)/ready
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		'atheris>=3,<4' || { \
		echo "No atheris for this Python. It is published for CPython 3.11 to 3.14 on Linux x86-64;"; \
		echo "choose one of these: make fuzz VENV=.venv-fuzz PYTHON=/path/to/python3.12"; exit 1; } >&2
	@touch "$@"
