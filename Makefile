# `make demo` and `make test` do all their set-up in .venv; they need Python >= 3.11, make and a C++ compiler.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES := $(shell find src -name '*.py' -o -name '*.cpp' -o -name '*.hpp' -o -name '*.npz') pyproject.toml CMakeLists.txt

.PHONY: help demo test check bench clean

help:
	@echo "make demo | test | check | bench | clean"

.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit("equipoise needs Python 3.11 or newer; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@touch $@

# The package is installed as a user gets it, and again whenever a source has changed (the C++ build is incremental).
.venv/installed: .venv/created $(SOURCES)
	$(INSTALL) --config-settings=cmake.define.EQUIPOISE_STRICT=ON .
	@touch $@

.venv/with-%: .venv/installed
	$(INSTALL) --config-settings=cmake.define.EQUIPOISE_STRICT=ON ".[$*]"
	@touch $@

demo: .venv/installed
	$(BIN)/equipoise demo

test: .venv/with-test
	$(BIN)/python -m pytest

check: .venv/with-check .venv/with-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/with-bench
	$(BIN)/python benchmarks/single_cell.py
	$(BIN)/python benchmarks/absolute.py

clean:
	rm -rf .venv build output
