# make demo: members of a simulated cluster, from nothing.   make test: the tests.   make lint: style and imports.   make docs: the documentation.
# make tap-server (as root): a real TAP server on loopback; the tests that need one find it.   make stop-tap-server.
PYTHON ?= python3
BIN := .venv/bin
CLUSTER := Simulated_1

.PHONY: demo test lint docs tap-server stop-tap-server fault-table clean

demo: .venv/installed
	$(BIN)/python simulate_clusters.py $(CLUSTER) --data_dir demo
	$(BIN)/python build_sets.py $(CLUSTER) --data_dir demo --cone_source demo/cones
	$(BIN)/python evaluate_clusters.py $(CLUSTER) --data_dir demo --report
	@echo "Tables, plots and report.html: demo/clusters/$(CLUSTER)/"

test: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

docs: .venv/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs build/docs
	@echo "The documentation: build/docs/index.html"

tap-server: .venv/installed
	tests/support/tap_server/set_up.sh start

stop-tap-server:
	tests/support/tap_server/set_up.sh stop

fault-table: .venv/installed-dev
	PYTHONPATH=.:tests/support $(BIN)/python -m tap_server.fault_table

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

.venv/installed-docs: .venv/installed requirements-docs.txt
	$(BIN)/python -m pip install --quiet -r requirements-docs.txt
	touch $@

clean:
	rm -rf .venv demo build docs/api *.egg-info
