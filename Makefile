PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run test lint peers clean
install: .venv/installed
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

run: install          ## the PEDOT:PSS campaign on the simulated bench, 24 trials
	$(BIN)/polyloop run lab_configs/pedot_pss/campaign.yaml

test: install lint    ## everything CI checks
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,clients]'
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: .peers/installed  ## the planners that `polyloop bench planners` compares with
.peers/installed: orchestrator/benches/peers/requirements.txt
	$(PYTHON) -m venv .peers
	.peers/bin/pip install --quiet -r $<
	touch $@

clean:                ## the environments; never the data
	rm -rf .venv .peers
