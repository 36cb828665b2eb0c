# Everything runs inside a virtual environment that `setup` makes; nothing else is needed than
# Python 3.11+ and make. PIP_ARGS is handed to pip (an index with CPU builds of torch, say).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup benchmark test lint bench clean

benchmark: setup ## the main job: real small models, all PRMs and methods, a table and a page
	$(BIN)/run-benchmark run embedded

setup: $(READY) ## make the environment

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[hf,dev]'
	touch $@

test: setup ## everything, the slow tests too
	$(BIN)/python -m pytest

lint: setup ## formatting, style, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## speed and memory, as ratios in one run
	$(BIN)/python -m benchmarks

clean: ## remove the environment and the runs
	rm -rf $(VENV) runs
