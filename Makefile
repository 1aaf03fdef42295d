# `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two processes of tests, each with one thread of linear algebra: more would wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test check lint figures docs clean

demo: $(VENV)/.installed
	$(BIN)/bioclip-probe reproduce --store results/store --out results/world

test: $(VENV)/.tested
	$(PYTEST)

# What to run while working: the fast tests, and lint.
check: $(VENV)/.tested lint
	$(PYTEST) tests -m "not slow"

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/mypy

# The documentation: build/docs/html. It needs no network once its packages are installed; warnings are errors.
docs: $(VENV)/.documented
	mkdir -p build/docs/source
	$(BIN)/sphinx-build -n -W --keep-going -q -c docs build/docs/source build/docs/html
	@echo "build/docs/html/index.html"

figures: $(VENV)/.installed
	$(BIN)/python figures/draw.py

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'bioclip_probe needs Python 3.11 or newer')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	$(BIN)/python -c "from bioclip_probe.study.compiling import compile_all; compile_all()"
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

$(VENV)/.documented: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) results build
