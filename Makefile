# Every target but `demo` works in the virtual environment $(VENV), which it makes itself.

VENV = .venv
DEMO_FILE = spec-fixtures/valid/query-change-set-query.http
WORKERS = auto
FUZZ_SECONDS = 60
TARGETS =
MODULE =
COUNT = 15
SEED = 1

# PYTHON=... chooses an interpreter; otherwise the first of these that is 3.11 or later.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for name in python3 python3.11 python3.12 python3.13 python3.14 python3.15 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; \
	done)
endif

NPM = $(shell command -v npm)

# mitmproxy needs 3.12 or later.
PYTHON_3_12 = $(shell for name in "$(PYTHON)" python3.12 python3.13 python3.14 python3.15; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$name" && break; \
	done)

# Groups of dependencies need pip 25.1.
install = "$(1)/bin/python" -m pip install --quiet --disable-pip-version-check 'pip>=25.1' && \
	"$(1)/bin/python" -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help demo test check thorough fuzz bench complexity bench-peers load docs assurance corpus site fixtures mutants interop peers mitmproxy recheck clean python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: python ## show a captured batch, from the checkout as it is
	"$(PYTHON)" -m odata_batch show "$(DEMO_FILE)"

# COVERAGE=no takes less time. A process for each core; WORKERS=0 for none but pytest's.
# What is compiled is kept, whatever the environment says: tests start Python hundreds of times.
test: $(VENV)/ready ## run the tests; every branch of the package must be covered
	PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX="$$(cd "$(VENV)" && pwd)/pycache" \
	COVERAGE_FILE="$(VENV)/coverage" "$(VENV)/bin/python" -m pytest --numprocesses=$(WORKERS) \
		--dist=worksteal $(if $(filter no,$(COVERAGE)),,--cov --cov-report=term-missing)

# Two at a time: make --jobs=2 check
check: style types $(if $(NPM),pyright recheck,without-node) generated ## check format, lint, types, and that what is generated is current

.PHONY: style types pyright generated without-node

style: $(VENV)/ready
	"$(VENV)/bin/python" -m ruff format --check .
	"$(VENV)/bin/python" -m ruff check .

types: $(VENV)/ready
	"$(VENV)/bin/python" -m mypy --strict

pyright: $(VENV)/ready
	"$(VENV)/bin/python" -m pyright --pythonpath "$(VENV)/bin/python"

generated: $(VENV)/ready
	"$(VENV)/bin/python" docs/generate.py --check

without-node:
	@echo "There is no Node, so pyright and recheck are left out." >&2

# No pattern takes more than linear time, whatever the text.
recheck: .interop/recheck/ready | python
	"$(PYTHON)" benchmarks/patterns.py --list | node benchmarks/recheck.mjs .interop/recheck

thorough: $(VENV)/ready ## run the tests with far more generated examples
	HYPOTHESIS_PROFILE=thorough "$(VENV)/bin/python" -m pytest --numprocesses=$(WORKERS) \
		--dist=worksteal

fuzz: $(VENV)/atheris ## fuzz TARGETS (all) for FUZZ_SECONDS (60) each; what is found is kept in .fuzz
	"$(VENV)/bin/python" -m fuzz --seconds=$(FUZZ_SECONDS) $(TARGETS)

bench: $(VENV)/ready ## time everything beside floors, with aims and bounds
	"$(VENV)/bin/python" benchmarks/bench.py
	"$(VENV)/bin/python" benchmarks/graphs.py
	"$(VENV)/bin/python" benchmarks/streams.py
	"$(VENV)/bin/python" benchmarks/pipe.py

load: $(VENV)/ready ## send many batches at once to each server example, and cut connections
	"$(VENV)/bin/python" -m benchmarks.load

complexity: $(VENV)/ready ## hold what decoding costs to the size of hostile input; half an hour
	"$(VENV)/bin/python" benchmarks/complexity.py
	"$(VENV)/bin/python" benchmarks/patterns.py

bench-peers: .venv-peers/ready $(if $(NPM),.interop/peers/ready) ## time other programs too, and write docs/performance.md
	.venv-peers/bin/python benchmarks/peers.py

docs: $(VENV)/ready ## write the pages of docs/ and the manifest of the corpus
	"$(VENV)/bin/python" docs/generate.py

assurance: $(VENV)/ready ## run the tests behind each promise, and write docs/assurance.md
	"$(VENV)/bin/python" docs/assurance.py

corpus: python ## make an archive of the corpus, and a package for npm, in dist
	"$(PYTHON)" docs/corpus.py dist
	$(if $(NPM),cd spec-fixtures && "$(NPM)" pack --silent --pack-destination ../dist,@echo "There is no npm.")

# Open .site/index.html; no server is needed, and no network.
site: .venv-site/ready ## build the documentation as a site in .site, to be read from the folder
	NO_MKDOCS_2_WARNING=1 .venv-site/bin/python -m mkdocs build --quiet
	@echo "Open .site/index.html."

fixtures: $(VENV)/ready ## write down anew what is read of each case of the corpus
	for name in fixtures readings messages slips har; do "$(VENV)/bin/python" -m "tests.test_$$name" || exit 1; done
	"$(VENV)/bin/python" docs/generate.py

mutants: $(VENV)/mutmut .mutants/times.json ## change each MODULE (all) at COUNT (15) places; do tests notice?
	"$(VENV)/bin/python" mutants/mutate.py --seed=$(SEED) --count=$(COUNT) $(MODULE)

interop: TABLE = 1
interop: $(if $(NPM),.interop/cap/ready) peers ## talk to other programs over loopback, and write docs/interop.md
	@if [ -n "$(PYTHON_3_12)" ]; then $(MAKE) --no-print-directory mitmproxy; \
	else echo "There is no Python 3.12 or later, so mitmproxy is left out." >&2; fi

# What is installed within a minute: everything but CAP, unless that is there already.
peers: .venv-interop/ready $(if $(NPM),.interop/peers/ready)
	@[ -n "$(NPM)" ] || echo "There is no npm, so what needs Node is left out." >&2
	INTEROP_TABLE=$(TABLE) .venv-interop/bin/python -m pytest -m interop tests/interop

mitmproxy: .venv-mitmproxy/ready
	.venv-mitmproxy/bin/python -m pytest -m interop tests/test_interop_mitmproxy.py

.PHONY: page page-test pyodide-test

# A folder for any web server: nothing is fetched from elsewhere when the page runs.
page: .interop/page/ready | python ## build the page that checks a batch in a browser, in build/page
	rm -rf build/page
	mkdir -p build/page/pyodide
	"$(PYTHON)" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/page .
	cp $(addprefix docs/check/,index.html style.css page.js dom.js client.js exchange.js worker.js page.py) build/page
	cd .interop/page/node_modules/pyodide && cp pyodide.mjs pyodide.asm.mjs pyodide.asm.wasm \
		python_stdlib.zip pyodide-lock.json "$(CURDIR)/build/page/pyodide"
	"$(PYTHON)" docs/check/files.py build/page

page-test: page .interop/page-test/ready ## drive that page in Chromium
	PYTHON="$(PYTHON)" node --test tests/page/page.test.mjs

pyodide-test: page .interop/pyodide-test/ready ## run the corpus under the Python of that page, in Node
	node tests/page/corpus.mjs build/page .interop/pyodide-test

clean: ## remove everything that these targets made
	rm -rf people.db .interop .site .mutants .venv .venv-* .coverage .fuzz .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find odata_batch tests benchmarks docs fuzz mutants examples -name __pycache__ -prune \
		-exec rm -rf {} + 2>/dev/null || true

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		if [ -n "$(PYTHON)" ]; then echo "$(PYTHON) is not Python 3.11 or later."; \
		else echo "No Python 3.11 or later was found."; fi; \
		echo "Name one: make PYTHON=/path/to/python3.11 ..."; exit 1; } >&2

# Made anew whenever pyproject.toml changes, so that nothing stale is left in it.
$(VENV)/ready: pyproject.toml | python
	"$(PYTHON)" -m venv --clear "$(VENV)"
	$(call install,$(VENV)) --editable . --group test
	@touch "$@"

.venv-site/ready: pyproject.toml | python
	"$(PYTHON)" -m venv --clear .venv-site
	$(call install,.venv-site) --group docs
	@touch "$@"

$(VENV)/atheris: $(VENV)/ready
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		'atheris>=3,<4' || { \
		echo "No atheris for this Python. It is published for CPython 3.11 to 3.14 on Linux x86-64;"; \
		echo "choose one of these: make fuzz VENV=.venv-fuzz PYTHON=/path/to/python3.12"; exit 1; } >&2
	@touch "$@"

$(VENV)/mutmut: $(VENV)/ready
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check 'mutmut>=3.8,<3.9'
	@touch "$@"

# Which test runs which line of the package, and how long it takes.
.mutants/times.json: $(shell find odata_batch tests -name '*.py') | $(VENV)/mutmut
	"$(VENV)/bin/python" mutants/mutate.py --survey

.venv-interop/ready: pyproject.toml tests/interop/requirements.txt | python
	"$(PYTHON)" -m venv --clear .venv-interop
	.venv-interop/bin/python -m pip install --quiet --disable-pip-version-check \
		--editable . --requirement tests/interop/requirements.txt
	@touch "$@"

.venv-peers/ready: benchmarks/peers-requirements.txt | python
	"$(PYTHON)" -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$<"
	@touch "$@"

.venv-mitmproxy/ready: pyproject.toml
	"$(PYTHON_3_12)" -m venv --clear .venv-mitmproxy
	.venv-mitmproxy/bin/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[hypothesis]' 'mitmproxy>=12,<13' 'pytest>=8.3,<10'
	@touch "$@"

.interop/peers/ready: tests/interop/node/package.json
	rm -rf .interop/peers
	mkdir -p .interop/peers
	cp tests/interop/node/package.json .interop/peers
	cd .interop/peers && npm install --no-audit --no-fund --no-package-lock --ignore-scripts \
		--loglevel=error
	@touch "$@"

.interop/page/ready: docs/check/package.json
.interop/page-test/ready: tests/page/package.json
.interop/recheck/ready: benchmarks/package.json
.interop/page/ready .interop/page-test/ready .interop/recheck/ready:
	rm -rf "$(@D)"
	mkdir -p "$(@D)"
	cp "$<" "$(@D)"
	cd "$(@D)" && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error
	@touch "$@"

# Without compiled parts, so that they work under any Python.
.interop/pyodide-test/ready: tests/page/requirements.txt | python
	rm -rf "$(@D)"
	"$(PYTHON)" -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --target "$(@D)" \
		--only-binary :all: --implementation py --abi none --platform any --requirement "$<"
	@touch "$@"

# A part of it is compiled, against the headers of this Node where they are installed.
.interop/cap/ready: $(wildcard tests/interop/cap/*.json tests/interop/cap/srv/*)
	rm -rf .interop/cap
	mkdir -p .interop
	cp -R tests/interop/cap .interop/cap
	prefix="$$(dirname "$$(dirname "$$(command -v node)")")"; \
	if [ -e "$$prefix/include/node/node.h" ]; then export npm_config_nodedir="$$prefix"; fi; \
	cd .interop/cap && npm install --no-audit --no-fund --no-package-lock --loglevel=error
	@touch "$@"
