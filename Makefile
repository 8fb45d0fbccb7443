# Everything from a fresh clone with nothing but python3 (3.11 to 3.13) with venv, make and git.
# What is installed where is in scripts/install.sh; PYTHON=… chooses the interpreter.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
ROUNDS := 3
SEED := 1
INPUTS := pyproject.toml constraints/cpu.txt scripts/install.sh

.PHONY: help demo up test chaos ray lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed ## install, serve, train the demo model, go on serving (ONCE=1: end with the job)
	@$(BIN)/tunedeck demo $(if $(ONCE),--once)

up: $(VENV)/.installed ## install and serve at http://127.0.0.1:8500
	@$(BIN)/tunedeck up

test: $(VENV)/.installed-dev lint ## all checks and all tests
	@scripts/chromium.sh
	@echo "pytest"
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

ray: $(VENV)/.installed-dev ## a Ray cluster of two nodes that loses one; needs root for network namespaces
	@$(BIN)/pytest tests/ray -m nodes

# Both databases at once: most of a trial is waiting, and so all of it takes some twenty minutes on two free cores.
chaos: $(VENV)/.installed-dev ## break everything, ROUNDS times, on SQLite and PostgreSQL; a JSON row a fault
	@failed=0; \
	$(BIN)/python -m tests.chaos.many_schedules 1000 $(SEED) || failed=1; \
	printf '%s\n' sqlite postgresql | xargs -n 1 -P 2 \
		$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --seed $(SEED) --database || failed=1; \
	exit $$failed

lint: $(VENV)/.installed-dev ## ruff, mypy, import-linter
	@echo "ruff" && $(BIN)/ruff check && $(BIN)/ruff format --check
	@echo "mypy" && $(BIN)/mypy
	@echo "lint-imports" && $(BIN)/lint-imports

clean: ## remove what was installed and built; data in .tunedeck stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each stamp is newer than what it was made from, so that nothing is installed twice.
$(VENV)/.installed: $(INPUTS)
	@scripts/install.sh server,worker,hub
	@touch $@

$(VENV)/.installed-dev: $(INPUTS)
	@scripts/install.sh server,worker,hub,dev
	@touch $(VENV)/.installed $@
