# make demo: members of a simulated cluster, from nothing.   make test: the tests, in an order that a printed seed gives.   make lint: style, imports and types (make types alone).   make docs: the documentation.
# make test-oldest: the tests with the lower bounds of pyproject.toml.   make test-newest: with the newest of everything.
# make tap-server (as root): a real TAP server on loopback; the tests that need one find it.   make stop-tap-server.
# make fuzz: ten thousand damaged files and the table of docs/faults.md.   make test-loaded: the tests while six other programs work.   make test-random: ten times.
# make kills: a hundred kills and a hundred interrupts of a batch at random moments.
PYTHON ?= python3
BIN := .venv/bin
CLUSTER := Simulated_1
TESTS := -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-random test-loaded test-oldest test-newest fuzz kills lint types docs tap-server stop-tap-server fault-table clean

demo: .venv/installed
	$(BIN)/python simulate_clusters.py $(CLUSTER) --data_dir demo --field_density 5000
	$(BIN)/python build_sets.py $(CLUSTER) --data_dir demo --cone_source demo/cones
	$(BIN)/python evaluate_clusters.py $(CLUSTER) --data_dir demo --report
	@echo "Tables, plots and report.html: demo/clusters/$(CLUSTER)/"

test: .venv/installed-dev
	$(BIN)/python $(TESTS)

test-random: .venv/installed-dev
	for i in 1 2 3 4 5 6 7 8 9 10; do $(BIN)/python $(TESTS) || exit 1; done

test-loaded: .venv/installed-dev
	for i in 1 2 3 4 5 6; do (while :; do :; done) & echo $$!; done > .busy; \
	SLOWNESS=10 $(BIN)/python $(TESTS); result=$$?; \
	kill $$(cat .busy); rm .busy; exit $$result

fuzz: .venv/installed-dev
	PYTHONPATH=.:tests/support $(BIN)/python -m damages 10000 --seed 2 --page docs/faults.md

kills: .venv/installed-dev
	PYTHONPATH=.:tests/support $(BIN)/python -m random_ends 100 --signal KILL
	PYTHONPATH=.:tests/support $(BIN)/python -m random_ends 50 --signal INT --workers 2
	PYTHONPATH=.:tests/support $(BIN)/python -m random_ends 50 --signal TERM

# The lower bounds of pyproject.toml, in an environment of their own; what they need in turn is the newest. They are those
# of Python 3.11: make test-oldest PYTHON=python3.11.
test-oldest: build/oldest/installed
	build/oldest/bin/python $(TESTS)

build/oldest/installed: pyproject.toml
	$(PYTHON) -m venv build/oldest
	build/oldest/bin/python -m pip install --quiet uv
	build/oldest/bin/uv pip install --quiet --python build/oldest/bin/python --resolution lowest-direct -e ".[dev,distributed,cepheids,images]"
	touch $@

# The newest packages that pip finds, for the newest Python: make test-newest PYTHON=python3.13. They take 6 GB where pip finds
# PyTorch with CUDA.
test-newest: build/newest/installed
	OMP_NUM_THREADS=1 build/newest/bin/python $(TESTS)

build/newest/installed: pyproject.toml
	$(PYTHON) -m venv build/newest
	build/newest/bin/python -m pip install --quiet --upgrade -e ".[dev,distributed,cepheids,images]"
	touch $@

lint: .venv/installed-dev types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: .venv/installed-dev
	$(BIN)/mypy

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
	rm -rf .venv demo build docs/api docs/notebook docs/scripts *.egg-info
