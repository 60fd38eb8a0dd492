PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run test lint clean
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

clean:                ## the environment; never the data
	rm -rf .venv
