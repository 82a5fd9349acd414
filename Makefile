# On a fresh machine: `make demo` and `make test`. Each makes what it needs: a virtual environment
# in .venv, filled by uv where there is one, else by pip. `make help` lists the rest.

VENV ?= .venv
# The Python to make environments with; 3.11 or newer.
PYTHON ?=
# More for pytest, such as `make test ARGS='-k sse -x'`.
ARGS ?=

# A page of the documentation is one story, and a file's tests share what is costly to make.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

# $(call environment,DIRECTORY,WHAT): install this project, editable, and WHAT in an environment.
# pip knows dependency groups from 25.1 on, and Python 3.11 brings an older one.
ifneq ($(UV),)
define environment
	$(UV) venv --quiet --allow-existing --python '$(or $(PYTHON),>=3.11)' $(1)
	$(UV) pip install --quiet --python $(1)/bin/python --constraints constraints.txt $(2) --editable .
endef
else
define environment
	test -x $(1)/bin/python || $(or $(PYTHON),python3) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(1)/bin/python -m pip install --quiet --constraint constraints.txt $(2) --editable .
endef
endif

.PHONY: help
help: ## list these commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

$(VENV)/.package: pyproject.toml constraints.txt
	$(call environment,$(VENV),)
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call environment,$(VENV),--group dev)
	@touch $(VENV)/.package $@

$(VENV)-bench/.bench: pyproject.toml constraints.txt
	$(call environment,$(VENV)-bench,--group bench)
	@touch $@

.PHONY: demo
demo: $(VENV)/.package ## record a stream from the bundled server, show it, replay it
	$(BIN)/streamtape demo

.PHONY: test
test: $(VENV)/.dev ## run the tests, and every example in the documentation
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

.PHONY: coverage
coverage: $(VENV)/.dev ## run the tests with coverage of the package and of the tests
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(PARALLEL) $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

.PHONY: lint
lint: $(VENV)/.dev ## check style, format and the layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

.PHONY: types
types: $(VENV)/.dev ## check types with mypy, and the core with pyright too
	$(BIN)/mypy
	$(BIN)/pyright

.PHONY: format
format: $(VENV)/.dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: docs
docs: $(VENV)/.dev ## run the documentation's examples only
	$(BIN)/python -m pytest README.md docs $(ARGS)

.PHONY: bench
bench: $(VENV)-bench/.bench ## measure against bare httpx, vcrpy, pytest-recording and cassetter
	$(VENV)-bench/bin/python -m benchmarks $(ARGS)

.PHONY: constraints
constraints: ## take the newest releases that fit into constraints.txt
	rm -rf build/constraints
	$(or $(PYTHON),python3) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/constraints/bin/python -m pip install --quiet --group dev --group bench .
	sed '/^[^#]/d' constraints.txt > build/constraints.txt
	build/constraints/bin/python -m pip freeze --exclude pytest-streamtape >> build/constraints.txt
	mv build/constraints.txt constraints.txt

.PHONY: clean
clean: ## remove environments, caches and what was built
	rm -rf $(VENV) $(VENV)-bench build dist htmlcov .coverage .coverage.* \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
