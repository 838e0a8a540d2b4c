# Every target does its own set-up: `.venv` is built once and reused.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
# where the test runner should write JUnit XML, for CI: make test JUNIT=folder
junit = $(if $(JUNIT),--junitxml=$(JUNIT)/$(1).xml,)

.PHONY: help setup train test test-all test-slow e2e lint sync check-sync lessons \
	sizes notebooks bench bench-quick lab lab-src site bump clean
help:
	@echo "make train        train a CNN on MNIST and write report/"
	@echo "make lab          open a copy of the lessons in JupyterLab, in my-lessons/"
	@echo "make test         the tests, without the slow ones"
	@echo "                  (test-all: all; e2e: installs, browsers, processes)"
	@echo "make lint         ruff, and mypy over the types"
	@echo "make sync         export package and tests from the notebooks, tidy the"
	@echo "                  notebooks (check-sync: would that change anything?)"
	@echo "make lessons      execute every notebook, quick form, without its tests,"
	@echo "                  and say what each is made of (sizes: only that)"
	@echo "make notebooks    execute them in full, and keep the outputs"
	@echo "make lab-src      open the notebooks themselves in JupyterLab"
	@echo "make site         the lessons and the API as web pages, in _site/"
	@echo "make bench        measure beside other libraries, write benchmarks/results.md"
	@echo "                  (bench-quick: short, writes nothing)"
	@echo "make bump VERSION=0.2.0   raise the version"

setup: $(STAMP)
$(STAMP): settings.ini setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"minifastai needs Python 3.11 or newer, but $(PYTHON) is %d.%d: " \
		"try make PYTHON=python3.12" % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); the first time this takes a few minutes, most of it for torch"
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install -q --index-url $(TORCH_INDEX) torch torchvision)
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@

train: $(STAMP)
	$(BIN)/minifastai train $(ARGS)
# the tests are exported: at the end it says if those of the notebooks are newer
test: $(STAMP)
	@$(PYTEST) -m "not slow and not e2e" $(call junit,fast) $(ARGS); code=$$?; \
	$(BIN)/python tools/check_sync.py --reminder; exit $$code
test-all: $(STAMP)
	$(PYTEST) -m "not e2e" $(call junit,all) $(ARGS)
test-slow: $(STAMP)
	$(PYTEST) -m "slow and not e2e" $(call junit,slow) $(ARGS)
e2e: $(STAMP)
	@sh tools/chromium.sh
	$(PYTEST) -m e2e tests/e2e $(call junit,e2e) $(ARGS)
lessons: $(STAMP)
	$(BIN)/python tools/lessons.py $(ARGS)
notebooks: $(STAMP)
	$(BIN)/python tools/lessons.py --full --write $(ARGS)
	BIN=$(BIN) tools/sync
sizes: $(STAMP)
	$(BIN)/python tools/lessons.py --sizes $(ARGS)
sync: $(STAMP)
	BIN=$(BIN) tools/sync
check-sync: $(STAMP)
	$(BIN)/python tools/check_sync.py
lint: $(STAMP)
	$(BIN)/python tools/lint.py
bump:
	@$(PYTHON) tools/bump.py $(VERSION)
# the other libraries are installed into an environment of their own
BENCH_VENV := .venv-bench
$(BENCH_VENV)/.installed: settings.ini setup.py benchmarks/requirements.txt
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@echo "installing the libraries to compare with into $(BENCH_VENV)"
	$(if $(TORCH_INDEX),$(BENCH_VENV)/bin/python -m pip install -q --index-url $(TORCH_INDEX) torch torchvision)
	$(BENCH_VENV)/bin/python -m pip install -q -e . -r benchmarks/requirements.txt
	@touch $@
bench: $(BENCH_VENV)/.installed
	$(BENCH_VENV)/bin/python benchmarks/run.py $(ARGS)
bench-quick: $(STAMP)
	$(BIN)/python benchmarks/run.py --quick $(ARGS)
# JupyterLab changes a notebook by opening it, and nbs/ is the source of the package: so
# a reader works on a copy. What the reader changed there is kept. ARGS="--no-browser"
# and the like go to JupyterLab.
LESSONS := my-lessons
lab: $(STAMP)
	$(BIN)/minifastai lessons $(LESSONS) --open $(ARGS)
lab-src: $(STAMP)
	$(BIN)/python -m jupyterlab --ServerApp.root_dir=nbs \
		--LabApp.default_url=/lab/tree/index.ipynb $(ARGS)
site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict -f tools/site/mkdocs.yml
	@echo "look at it: $(BIN)/python -m http.server -d _site --bind 127.0.0.1 8000, then http://127.0.0.1:8000"
clean:
	rm -rf build dist _site *.egg-info .pytest_cache
