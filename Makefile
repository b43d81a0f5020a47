# Two commands do it all on a fresh machine: `make run`, `make test`. Each sets up what it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/run.installed ## what `make run` needs, into .venv, by hash
run: install ## a week of op-eds from invented newspaper pages to a real bucket, with a table at the end
	@$(BIN)/python -m newsstand.demo
down: install ## stop what `make run` left running; the archive stays
	@$(BIN)/python -m newsstand.demo down

replay: $(VENV)/replay.installed ## pywb, in an environment of its own: what `opeds replay` starts
airflow: $(VENV)/airflow.installed ## two days through real Airflow, with pages to look at; it goes on running
	@$(BIN)/python -m newsstand.airflow_demo
airflow-down: install ## stop what `make airflow` left running, and remove what it made
	@$(BIN)/python -m newsstand.airflow_demo down

debian: # what a few tests need from Debian, where we may install it; they skip otherwise
	@ls /usr/lib/postgresql/*/bin/initdb /usr/bin/redis-server /usr/bin/faketime /usr/bin/chromium >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq >/dev/null 2>&1; apt-get install -qq -y \
	  postgresql redis-server wget faketime chromium >/dev/null 2>&1; } || \
	  echo "PostgreSQL, Redis, faketime and Chromium are not all here: their tests are skipped"

test: $(VENV)/dev.installed debian ## the tests, offline, in a quarter of an hour on two cores
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder
test-long: $(VENV)/dev.installed debian ## the long forms: property tests in full, Airflow's troubles, more kills, full disks
	@LONG=1 $(BIN)/python -m pytest -n 2 --dist loadscope -m long
faults: $(VENV)/dev.installed debian ## every alteration, every kill, every fault of the store: about an hour
	@FAULTS=1 $(BIN)/python -m pytest -n 2 --dist loadscope -s tests/test_alterations.py tests/test_crash.py \
	  tests/test_faulty_store.py tests/test_machine.py
fuzz: $(VENV)/dev.installed ## 2,000 invented shapes of pages, each at n and at 4 n bytes: half an hour
	@FUZZ=1 $(BIN)/python -m pytest -n 2 tests/test_costs.py -k invented
test-past: $(VENV)/dev.installed debian ## twenty years from public archives, killed twenty times: half an hour
	@PAST=1 LONG=1 $(BIN)/python -m pytest -s tests/test_past.py -k "killed or twenty_years"
test-backfill: $(VENV)/dev.installed debian ## thirty days through Celery, a worker killed in the middle: ten minutes more
	@BACKFILL_DAYS=30 LONG=1 $(BIN)/python -m pytest -s -m distributed tests/test_airflow.py
test-others: $(VENV)/dev.installed $(VENV)/others.installed debian ## other tools write for us and read us: wget, warcprox, pywb
	@OTHERS=1 $(BIN)/python -m pytest -s tests/test_others.py
test-image: $(VENV)/dev.installed ## the image's steps in an empty environment; needs the package index
	@IMAGE=1 $(BIN)/python -m pytest -s tests/test_infra.py -k image
lint: $(VENV)/dev.installed ## format, lint, spelling, types
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/codespell && $(BIN)/mypy
bench: $(VENV)/dev.installed ## the budgets of speed and quality, each against its baseline in one run
	@$(BIN)/python -m tests.bench
bench-peers: $(VENV)/dev.installed $(VENV)/fundus.installed $(VENV)/newspaper.installed debian ## us beside the tools that others use: docs/benchmarks.md
	@$(BIN)/python -m tests.peers
soak: $(VENV)/dev.installed ## 20,000 pages in 100 days into a real store, with a reader polling: an hour
	@$(BIN)/python -m tests.soak --plot

LOCK := uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml
lock: ## write the lock files anew (needs uv)
	$(LOCK) --extra embedded --extra browse -o requirements.lock
	$(LOCK) --extra airflow --extra distributed --extra postgres -c requirements.lock -o requirements-airflow.lock
	$(LOCK) --extra airflow --extra distributed --extra postgres --extra operations -c requirements-airflow.lock \
	  -o requirements-operations.lock
	$(LOCK) --all-extras -c requirements.lock -c requirements-airflow.lock -c requirements-operations.lock -o requirements-dev.lock

	for name in others fundus newspaper; do uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 tests/$$name.in -o requirements-$$name.lock || exit 1; done
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 infra/replay.in \
	  -c requirements-others.lock -o requirements-replay.lock

clean: down airflow-down ## remove the demo's archive and everything built
	rm -rf .demo $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv $(VENV)
$(VENV)/run.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) (a few minutes at first)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
$(VENV)/dev.installed: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) (a few minutes at first)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run.installed $(VENV)/airflow.installed
$(VENV)/airflow.installed: requirements-airflow.lock $(VENV)/run.installed
	@echo "installing Airflow into $(VENV) (a minute or two at first)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-airflow.lock
	@touch $@
APART := replay others fundus newspaper # environments of their own: they pin what we do not want
$(APART:%=$(VENV)/%.installed): $(VENV)/%.installed: requirements-%.lock $(VENV)/run.installed
	@$(PYTHON) -m venv $(VENV)/$*
	@$(VENV)/$*/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-$*.lock
	@touch $@

.PHONY: help install run down replay airflow airflow-down debian test test-long faults fuzz test-past test-backfill test-others test-image lint bench bench-peers soak lock clean
