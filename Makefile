# Two commands: `make site` and `make test`. Both set everything up first; both are quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where torch comes from; empty is PyPI. For the CPU build on Linux: TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# One experiment instead of all: make site ONLY=rag_retrieval
ONLY ?=

.PHONY: setup site test lint bench audit lab strip lock clean

setup: $(VENV)/installed

# The lock holds a hash for every package but torch, whose CPU and CUDA builds differ: it is installed by itself.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Guidon needs Python 3.11 or newer: make setup PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	grep -v '^torch==' requirements.lock > $(VENV)/hashed.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/hashed.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $$(grep '^torch==' requirements.lock)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

site: setup
	$(BIN)/guidon publish
	@echo "A complete site is in _site; reproducing its results here now (interrupt when you like)."
	$(BIN)/guidon reproduce --new $(ONLY); status=$$?; $(BIN)/guidon publish && exit $$status

# Side by side: what computes, what drives the browser, all the rest. One by one, to debug: make test PYTEST='-n 0'
# OMP_WAIT_POLICY: threads that wait for one another leave the core to those they wait for.
test: setup
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup $(PYTEST)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/guidon check

bench: setup
	$(BIN)/python tests/bench.py

audit: setup
	$(BIN)/python tests/audit.py

lab: setup
	$(BIN)/guidon lab

# Sources are committed without outputs.
strip: setup
	$(BIN)/nbstripout --keep-id notebooks/*/*.ipynb

# Pins everything again; torch's own CUDA packages are left to torch.
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --extra dev \
		--no-header --no-annotate pyproject.toml | awk '/^[A-Za-z0-9]/ { keep = !/^(nvidia-|cuda-|triton==|torch==)/; \
		if (/^torch==/ && !seen++) print "torch==2.13.0" } keep' > build.lock && mv build.lock requirements.lock

clean:
	rm -rf build posts en/posts _site data/cache
