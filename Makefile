# Cellsteward: everything a person types. `make help` lists it.
# The first run of a target sets up .venv; later ones find it ready and start at once.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.cellsteward
# In folders of their own: these stubs stand in for those of Python's standard library, and each
# port has its own `machine`.
STUBS_VERSION := 1.29.0.post1
PORTS := rp2 esp32
BOARD ?= pico
PORT ?= auto

# PYTHON=... chooses the interpreter; without it the first one that is new enough is taken.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help run test lint types balancing-run bench bench-soc soc-heap times campaign compatibility fuzz soak mutation power-cuts wear test-rp2040 \
	health-figures limits-board limits-month docs docs-picture flash dist \
	clean distclean
.DELETE_ON_ERROR:

help: ## List the targets
	@echo "Usage: make TARGET [ARGS='...']"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Examples: make run ARGS='--speed 10'     make test ARGS='-k modbus'"

run: $(STAMPS)/run ## Watch the firmware guard a simulated battery (ARGS: make run ARGS=--help)
	@$(BIN)/cellsteward sim $(ARGS)

test: $(STAMPS)/test ## Run all tests (ARGS go to pytest)
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: $(STAMPS)/test ## Check style, formatting and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=firmware/lib $(BIN)/lint-imports

types: $(STAMPS)/test $(STAMPS)/stubs ## Check types, of the device code against each port's stubs
	$(BIN)/pyright
	@for port in $(PORTS); do \
	    $(BIN)/pyright --project boards/pyright/$$port.json || exit 1; \
	done

balancing-run: $(STAMPS)/test ## Balance 16 cells with the whole firmware on the simulated board (minutes)
	$(BIN)/python -m pytest -s host_tests/system/balancing_run.py $(ARGS)

bench: $(STAMPS)/test ## Measure steps, bus, frames, requests, memory anew, into docs/ (minutes; ARGS: parts)
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.bench.performance --out docs/performance.json $(ARGS)
	$(BIN)/python -m cellsteward.performance_docs
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.bench.operations
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.bench.turns

times: $(STAMPS)/test ## Measure the worst-case times of every fault anew (10 min), for docs/
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.times.measure --out docs/worst-case-times.json $(ARGS)
	$(BIN)/python -m cellsteward.times_docs

campaign: $(STAMPS)/test ## Inject thousands of faults, alone and in pairs (ARGS: --runs 2000 --jobs 2)
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.campaign $(ARGS)

power-cuts: $(STAMPS)/test ## Lose the power at every write of every file, torn everywhere (ARGS: jobs)
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.storage.power_cuts $(ARGS)

wear: $(STAMPS)/test ## Flash erases of a simulated day, and the years they last (ARGS: hours)
	$(BIN)/python host_tests/bench/wear.py $(ARGS)

fuzz: $(STAMPS)/test ## A million bytes of noise and broken requests into every serial parser
	MICROPYPATH=.frozen:firmware/lib $(BIN)/micropython -X heapsize=1M host_tests/fuzz/serial_fuzz.py 1000000 1

compatibility: $(STAMPS)/test ## Try every inverter profile anew, for docs/compatibility.md
	$(BIN)/python -m host_tests.inverter.compatibility $(ARGS)
	$(BIN)/python -m cellsteward.compatibility_docs

soak: $(STAMPS)/test ## A simulated day without a rest; memory must not grow (ARGS: hours, or week)
	$(BIN)/python host_tests/bench/soak.py $(ARGS)

bench-soc: $(STAMPS)/bench ## State of charge on measured cells and computed days, into docs/ (30 min)
	PYTHONPATH=firmware/lib $(BIN)/python -m host_tests.bench.soc $(ARGS)

soc-heap: $(STAMPS)/test ## A million steps of the state of charge on 32-bit MicroPython: no byte more (minutes)
	$(BIN)/python -m host_tests.bench.estimator_heap $(ARGS)

mutation: $(STAMPS)/mutation ## Change the code a little, thousands of times: tests must notice (an hour)
	$(BIN)/python -m host_tests.mutation $(ARGS)

test-rp2040: $(if $(UF2),$(STAMPS)/rp2040) ## Stock MicroPython on an emulated RP2040 (UF2=path/to/RPI_PICO.uf2; 15 min)
	@if [ -z "$(UF2)" ]; then \
	    echo "SKIPPED: no MicroPython was given. Download RPI_PICO-*.uf2 from"; \
	    echo "https://micropython.org/download/RPI_PICO, then: make test-rp2040 UF2=path/to/it"; \
	else \
	    UF2="$(abspath $(UF2))" RP2040PY_CLOCK_TICK_BATCH=64 \
	        $(BIN)/python -m pytest -v -s host_tests/rp2040/lane.py $(ARGS) && \
	    $(BIN)/python -m cellsteward.performance_docs; \
	fi

limits-board: $(STAMPS)/test ## A hot, cold, full and empty day of the whole firmware with an inverter that obeys (20 min)
	PYTHONPATH=firmware/lib:tools $(BIN)/python -m host_tests.bench.limits_board $(ARGS)

health-figures: $(STAMPS)/test ## Capacity, resistance, weak and leaking cells on packs that age (minutes)
	PYTHONPATH=firmware/lib:tools $(BIN)/python -m host_tests.bench.health_figures $(ARGS)

limits-month: $(STAMPS)/test ## A month of an inverter that obeys limits, all chemistries (10 min)
	PYTHONPATH=firmware/lib:tools $(BIN)/python -m host_tests.bms.limits_month $(ARGS)

docs: $(STAMPS)/run ## Make the generated tables of docs/ anew
	@for tables in board_docs build_docs chip_docs commissioning_docs compatibility_docs console_docs \
	    dbc fault_docs limit_docs links_docs modbus_docs parameter_docs performance_docs point_docs \
	    power_docs register_maps times_docs; do \
	    $(BIN)/python -m cellsteward.$$tables || exit 1; \
	done

docs-picture: $(STAMPS)/run ## Draw docs/images/running.svg from a real run
	@mkdir -p docs/images
	$(BIN)/cellsteward sim --speed max --duration 11h --seed 1 --screenshot docs/images/running.svg

flash: $(STAMPS)/run ## Put the firmware on a board: make flash BOARD=pico PORT=/dev/ttyACM0
	@$(BIN)/cellsteward flash --board $(BOARD) --port $(PORT) $(ARGS)

dist: $(STAMPS)/run ## Make the release: an archive, and package.json for mpremote mip, in build/dist
	@$(BIN)/python -m cellsteward.dist $(ARGS)

clean: ## Delete caches and the picture's leftovers, keep .venv
	rm -rf .run build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Delete .venv, too
	rm -rf $(VENV)

$(STAMPS)/run: pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@mkdir -p $(STAMPS) && touch $@

# The 32-bit MicroPython comes from npm, which comes with node from PyPI.
$(STAMPS)/test: pyproject.toml host_tests/wasm/package.json | $(BIN)/python
	@echo "Setting up $(VENV) for tests (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@mkdir -p $(VENV)/wasm && cp host_tests/wasm/package.json $(VENV)/wasm/
	@PATH="$(abspath $(BIN)):$$PATH" npm install --silent --no-audit --no-fund --prefix $(VENV)/wasm
	@mkdir -p $(STAMPS) && touch $(STAMPS)/run $@

$(STAMPS)/stubs: Makefile $(STAMPS)/test
	@echo "Setting up $(VENV) for type checks (once)..."
	@for port in $(PORTS); do \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade \
	        --target $(VENV)/stubs-$$port micropython-$$port-stubs==$(STUBS_VERSION) || exit 1; \
	done
	@touch $@

# PyBaMM, which computes the days of `make bench-soc`, is large.
$(STAMPS)/bench: pyproject.toml $(STAMPS)/test
	@echo "Setting up $(VENV) for the state-of-charge benchmark (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(STAMPS)/mutation: pyproject.toml $(STAMPS)/test
	@echo "Setting up $(VENV) for mutation tests (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutation]'
	@touch $@

$(STAMPS)/rp2040: pyproject.toml $(STAMPS)/test
	@echo "Setting up $(VENV) for the emulated RP2040 (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[rp2040]'
	@touch $@

$(BIN)/python:
	@for python in $(CANDIDATES); do \
	    if $$python -c '$(NEW_ENOUGH)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "Cellsteward needs Python 3.11 or newer; none of these is: $(CANDIDATES)." >&2; \
	    echo "Install one, or say where it is: make PYTHON=/path/to/python3.11 ..." >&2; \
	    exit 1; \
	fi; \
	if ! $$found -c 'import venv, ensurepip' 2>/dev/null; then \
	    version=$$($$found -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    echo "$$found comes without venv. On Debian and Ubuntu install it with:" >&2; \
	    echo "    sudo apt install python$$version-venv" >&2; \
	    exit 1; \
	fi; \
	rm -rf $(VENV); $$found -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
