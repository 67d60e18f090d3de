# One command per chore: `make help` lists them.
#
# Needs Python 3.11 or later with its headers and venv, a C compiler and make; the rest goes into
# .venv. Stamps in .venv/.stamps say what has been done, so that the second time is quick.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is new enough: PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)

VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

CYTHON := $(shell find src -name '*.pyx' -o -name '*.pxd')
NATIVE := $(CYTHON) $(shell find src -name '*.h')
FORMATTED := $(wildcard setup.py src tests examples bench fuzz)

# What the tests run, and further options for pytest: make test TESTS=tests/protocol ARGS=-x
TESTS ?= tests
ARGS ?=
# How long each fuzzer runs.
FUZZ_SECONDS ?= 60
PYTEST = $(BIN)/python -m pytest $(TESTS) $(ARGS)

# How long the clients of the soak run come.
SECONDS ?= 600

# The sanitizers' own copy of the tree, so that the ordinary build stays as it is.
SANITIZED := build/sanitize
SANITIZED_FILES := $(wildcard Makefile README.md LICENSE pyproject.toml setup.py src tests examples fuzz)
RUNTIMES = $(foreach lib,libasan.so libubsan.so libstdc++.so,$(shell $(or $(CC),cc) -print-file-name=$(lib)))
# Leaks are not detected: the interpreter itself keeps memory until the process ends.
# malloc for Python's objects, so that AddressSanitizer sees each of them.
SANITIZER = PYTHONPATH=$(abspath $(SANITIZED))/src PYTHONMALLOC=malloc LD_PRELOAD="$(RUNTIMES)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:abort_on_error=1 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

.PHONY: help
help:  ## List the chores
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

# --- environment ---------------------------------------------------------------------------------

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "cooee needs Python 3.11 or later with venv (Debian: apt install python3-venv);" \
			"name one with PYTHON=/path/to/python" >&2; exit 1; fi
	@echo "==> $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(STAMPS)/tools: | $(BIN)/python
	@.ci/headers "$(BIN)/python"
	@$(PIP) --upgrade pip "setuptools>=77" "Cython>=3.1"
	@mkdir -p $(STAMPS) && touch $@

# The package itself is installed as a link to src/, without its native modules: those are built in
# place below, where only what has changed is built again.
$(STAMPS)/installed: pyproject.toml src/cooee/_version.py | $(STAMPS)/tools
	@echo "==> cooee and what it needs"
	@COOEE_NO_EXTENSIONS=1 $(PIP) --no-build-isolation --editable '.[cli,uvloop]'
	@touch $@

$(STAMPS)/test: pyproject.toml $(STAMPS)/installed
	@echo "==> what the tests and the checks need"
	@COOEE_NO_EXTENSIONS=1 $(PIP) --no-build-isolation --editable '.[all]' --group lint
	@touch $@

$(STAMPS)/bench: pyproject.toml $(STAMPS)/installed
	@$(PIP) --group bench
	@touch $@

$(STAMPS)/native: setup.py $(NATIVE) | $(STAMPS)/tools
	@echo "==> native modules"
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

$(STAMPS)/peers: tests/package.json tests/package-lock.json | $(BIN)/python
	@if command -v npm >/dev/null; then echo "==> JavaScript peers"; \
		(cd tests && npm ci --loglevel=error) || echo "npm failed: the tests that need it will be skipped" >&2; \
	else echo "npm not found: the tests that need it will be skipped" >&2; fi
	@.ci/chromium
	@mkdir -p $(STAMPS) && touch $@

.PHONY: build
build: $(STAMPS)/installed $(STAMPS)/native  ## Build in place, into .venv

# --- use -----------------------------------------------------------------------------------------

.PHONY: echo
echo: build  ## Start both echo servers: raw WebSocket on 6080, Socket.IO on 6081
	@exec $(BIN)/cooee echo --hello $(ARGS)

# --- checks --------------------------------------------------------------------------------------

.PHONY: test test-native test-portable tested
test: test-native test-portable  ## Run the tests on both reactors (make -j2: at the same time)

tested: build $(STAMPS)/test $(STAMPS)/peers

test-native: tested
	@echo "==> tests, native reactor"
	@$(PYTEST)

test-portable: tested
	@echo "==> tests, portable reactor"
	@COOEE_REACTOR=portable $(PYTEST) -m "not once" -p no:cacheprovider
ifeq ($(TESTS),tests)
	@echo "==> the reactor's tests, portable, each socket watched by itself"
	@COOEE_REACTOR=poll $(BIN)/python -m pytest tests/reactor -m "not once" -p no:cacheprovider $(ARGS)
endif

.PHONY: lint
lint: $(STAMPS)/test  ## Check format, style and types
	$(BIN)/ruff format --check $(FORMATTED)
	$(BIN)/ruff check $(FORMATTED)
	$(BIN)/mypy --strict src $(wildcard examples)
	$(if $(CYTHON),PATH="$(abspath $(BIN)):$$PATH" cython-lint $(CYTHON))

.PHONY: format
format: $(STAMPS)/test  ## Format the Python files and mend what can be mended
	$(BIN)/ruff check --fix $(FORMATTED)
	$(BIN)/ruff format $(FORMATTED)

.PHONY: sanitized
sanitized: $(STAMPS)/installed $(STAMPS)/test
	@echo "==> native modules, with sanitizers"
	@mkdir -p $(SANITIZED)
	@cd $(SANITIZED) && find . -type f ! -path './build/*' ! -name '*.[co]' ! -name '*.so' -delete
	@tar -cf - --exclude='*.so' --exclude='*.c' --exclude=node_modules --exclude=__pycache__ \
		--exclude='*.egg-info' $(SANITIZED_FILES) | tar -xf - -C $(SANITIZED)
	@cd $(SANITIZED) && COOEE_SANITIZE=1 $(abspath $(BIN))/python setup.py --quiet build_ext --inplace

.PHONY: sanitize
sanitize: sanitized  ## Run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@echo "==> tests, with sanitizers"
	@cd $(SANITIZED) && $(SANITIZER) $(abspath $(BIN))/python -m pytest $(TESTS) \
		--hypothesis-profile=sanitize --timeout=300 -p no:cacheprovider $(ARGS)

.PHONY: fuzz
fuzz: sanitized  ## Fuzz every parser, with sanitizers: FUZZ_SECONDS=60 each, FUZZ_EXAMPLES=20000
	@for script in fuzz/*.py; do echo "==> $$script, with sanitizers"; \
		(cd $(SANITIZED) && $(SANITIZER) $(abspath $(BIN))/python $$script $(FUZZ_SECONDS)) || exit 1; done
	@echo "==> properties, with sanitizers"
	@cd $(SANITIZED) && $(SANITIZER) $(abspath $(BIN))/python -m pytest $(TESTS) -m hypothesis \
		--hypothesis-profile=fuzz --timeout=0 -p no:cacheprovider $(ARGS)

.PHONY: soak
soak: build $(STAMPS)/test $(STAMPS)/peers  ## Clients of all kinds against one server: SECONDS=600
	@$(BIN)/python tests/soak/run.py --seconds $(SECONDS)

.PHONY: bench
bench: build $(STAMPS)/bench  ## Measure against the peers
	@$(BIN)/python bench/run.py $(ARGS)

# --- release -------------------------------------------------------------------------------------

.PHONY: wheel
wheel: $(STAMPS)/test  ## Build sdist and wheel into dist/
	@$(BIN)/python -m build

# --- tidying -------------------------------------------------------------------------------------

.PHONY: clean
clean:  ## Remove what was built, but not .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info $(STAMPS)/native
	@find src -name '*.so' -delete -o -name '*.pyd' -delete
	@for source in $(filter %.pyx,$(CYTHON)); do rm -f "$${source%.pyx}.c"; done
	@find src tests -name node_modules -prune -o -name __pycache__ -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean  ## Remove everything that is not source
	@rm -rf $(VENV) tests/node_modules
