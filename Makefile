# `make demo` and `make test` do all their set-up in .venv; they need Python >= 3.11, make and a C++ compiler.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES := $(shell find src examples -name '*.py' -o -name '*.cpp' -o -name '*.hpp' -o -name '*.npz' -o -name '*.toml') pyproject.toml CMakeLists.txt

.PHONY: help demo test check sanitize bench bench-measures bench-predict bench-rates bench-spiking bench-sweeps \
	bench-brian2 clean

help:
	@echo "make demo | test | check | sanitize | clean"
	@echo "make bench | bench-measures | bench-predict | bench-rates | bench-spiking | bench-sweeps | bench-brian2"

.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit("equipoise needs Python 3.11 or newer; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@touch $@

# The package is installed as a user gets it, and again whenever a source has changed (the C++ build is incremental).
.venv/installed: .venv/created $(SOURCES)
	$(INSTALL) --config-settings=cmake.define.EQUIPOISE_STRICT=ON .
	@touch $@

# With an extra the package is installed once, not first without it.
.venv/with-%: .venv/created $(SOURCES)
	$(INSTALL) --config-settings=cmake.define.EQUIPOISE_STRICT=ON ".[$*]"
	@touch .venv/installed $@

demo: .venv/installed
	$(BIN)/equipoise demo

# A worker a processor leaves none to threads of linear algebra, which would wait for each other.
test: export OPENBLAS_NUM_THREADS := 1
test: .venv/with-test
	$(BIN)/python -m pytest -n auto --dist loadscope

check: .venv/with-check .venv/with-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# The compiled core under the address and undefined-behaviour sanitizers (GCC on Linux; skipped where it has no libasan).
LIBASAN := $(wildcard $(shell $(CXX) -print-file-name=libasan.so 2>/dev/null))
SANITIZED := $(addprefix tests/, systems/test_branching.py systems/test_cell_loop.py systems/test_excitable.py \
	systems/test_inhibitory_plasticity.py systems/test_isi_sampling.py systems/test_lif.py systems/test_m_current.py systems/test_pif.py \
	systems/test_rate_simulation.py systems/test_short_term_plasticity.py systems/test_silent_networks.py systems/test_simulation.py \
	systems/test_spectral_mean_field.py systems/test_spiking_calcium.py systems/test_spiking_conductance.py \
	systems/test_spiking_differences.py systems/test_spiking_probes.py systems/test_spiking_step.py \
	systems/test_spiking_synapses.py systems/test_spiking_wiring.py systems/test_threshold_integration.py \
	systems/test_volleys.py unit/test_avalanches.py unit/test_calcium.py unit/test_coordination.py \
	unit/test_core_stub.py unit/test_count_factors.py unit/test_interval_statistics.py unit/test_lif_tables.py \
	unit/test_measures.py unit/test_power_laws.py unit/test_spiking_input.py)

ifeq ($(LIBASAN),)
sanitize:
	@echo "make sanitize: skipped, $(CXX) has no libasan.so"
else
build/sanitize/installed: .venv/created $(SOURCES)
	$(INSTALL) --no-deps --upgrade --target build/sanitize/site --config-settings=build-dir=build/sanitize/core \
		--config-settings=cmake.define.EQUIPOISE_SANITIZE=ON --config-settings=cmake.define.EQUIPOISE_STRICT=ON .
	@touch $@

# Python itself is not instrumented, so libasan and the C++ library it watches are loaded first.
sanitize: export PYTHONPATH := build/sanitize/site
sanitize: export ASAN_OPTIONS := detect_leaks=0
sanitize: export UBSAN_OPTIONS := print_stacktrace=1
sanitize: PRELOADED := LD_PRELOAD="$(LIBASAN) $(shell $(CXX) -print-file-name=libstdc++.so)" $(BIN)/python
sanitize: build/sanitize/installed .venv/with-test
	@$(PRELOADED) -c 'import sys; from equipoise import _core; sys.exit("build/sanitize" not in _core.__file__ and "the core is another one: " + _core.__file__)'
	$(PRELOADED) -m pytest $(SANITIZED)
endif

bench: .venv/with-bench
	$(BIN)/python benchmarks/single_cell.py
	$(BIN)/python benchmarks/absolute.py
	$(BIN)/python benchmarks/network.py

bench-measures: .venv/with-test .venv/with-data
	$(BIN)/python benchmarks/measures_spikes.py
	$(BIN)/python benchmarks/measures_criticality.py
	$(BIN)/python benchmarks/measures_fields.py
	$(BIN)/python benchmarks/recordings.py

bench-predict: .venv/installed
	$(BIN)/python benchmarks/predict.py

bench-rates: .venv/installed
	$(BIN)/python benchmarks/rates.py
	$(BIN)/python benchmarks/rate_units.py

bench-spiking: .venv/with-nest
	$(BIN)/python benchmarks/spiking.py
	$(BIN)/python benchmarks/spiking.py plain
	$(BIN)/python benchmarks/spiking.py 50000 3
	$(BIN)/python benchmarks/spiking_conductance.py
	$(BIN)/python benchmarks/spiking_plasticity.py
	$(BIN)/python benchmarks/spiking_ensemble.py
	$(BIN)/python benchmarks/spiking_homeostasis.py

bench-sweeps: .venv/installed
	$(BIN)/python benchmarks/sweeps.py

# Brian2 asks for an older numpy: it gets an environment of its own.
.venv-brian2/ready:
	$(PYTHON) -m venv .venv-brian2
	.venv-brian2/bin/pip install -q "brian2>=2.9" "numpy<2.3" setuptools
	@touch $@

bench-brian2: .venv/installed .venv-brian2/ready
	$(BIN)/python benchmarks/spiking_brian2.py .venv-brian2/bin/python

clean:
	rm -rf .venv .venv-brian2 build output
