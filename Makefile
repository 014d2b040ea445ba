# Entra Lake. `make` alone lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach python,python3.11 python3.12 python3.13 python3,$(shell command -v $(python) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKS := requirements.lock requirements-sandbox.lock requirements-test.lock
# checkov pins an older boto3 than the lake uses: the linters of infra/ have an environment of their own.
LINT := $(VENV)/lint
LINT_READY := $(LINT)/.ready
# Airflow's operator for Microsoft Graph brings some 80 packages that the lake does not need.
OPERATOR := $(VENV)/operator
OPERATOR_READY := $(OPERATOR)/.ready
# So do the tools that the transform is measured beside.
BENCH := .venv-bench
BENCH_READY := $(BENCH)/.ready
# What runs in production; the sandbox and the tests hold made-up secrets and speak plain HTTP.
SHIPPED := plugins dags container infra
UV_VERSION := 0.13.9
PORT ?= 8080
export PYTHONPATH := plugins:.
# Compiled modules halve the start of Airflow; some machines switch them off.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run up test soak quick lint audit sbom bench bench-extraction docs format lock collect reconcile coverage watch verify rebuild clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## one day from a simulated tenant to an answered query (DAY=2026-11-20 takes another day)
	@$(BIN)/python -m sandbox.local.run $(if $(DAY),--day $(DAY))

up: $(READY) ## the Airflow web UI on http://127.0.0.1:8080 with 28 simulated days (PORT= moves it)
	@$(BIN)/python -m sandbox.local.up --port $(PORT)

collect: $(READY) ## the pipeline without Airflow, for your own connections (FROM=2026-11-20 TO=2026-11-22)
	@$(BIN)/python -m entra_lake collect $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

reconcile: $(READY) ## read what is due in your lake, without Airflow
	@$(BIN)/python -m entra_lake reconcile

coverage: $(READY) ## the state of the last days of your lake (DAYS=30)
	@$(BIN)/python -m entra_lake coverage $(if $(DAYS),--days $(DAYS))

watch: $(READY) ## mail when days of your lake are overdue, about to age out, or lost; for cron
	@$(BIN)/python -m entra_lake watch

verify: $(READY) ## compare your lake's manifests with S3 and Athena (DAY=2026-11-20 takes one day)
	@$(BIN)/python -m entra_lake verify $(if $(DAY),--day $(DAY))

rebuild: $(READY) ## make your lake's Parquet objects again from raw (DAY=2026-11-20; all days without it)
	@$(BIN)/python -m entra_lake rebuild $(if $(DAY),--day $(DAY),--all)

test: $(READY) $(LINT_READY) ## everything that must hold
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder $(ARGS)

soak: $(READY) ## weeks of daily operation with faults, in minutes (DAYS=60 SEED=7)
	@$(BIN)/python -m soak $(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED))

quick: $(READY) ## the quick tests, without Airflow, in under a minute
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder -m "not airflow and not slow" $(ARGS)

lint: $(READY) $(LINT_READY) ## style, types, Airflow's own rules; weak spots, and secrets in files
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(LINT)/bin/bandit -q -c pyproject.toml -r $(SHIPPED)
	@$(BIN)/python tests/secrets_scan.py

audit: $(LINT_READY) ## known weaknesses of all locked packages; asks PyPI, so it needs the internet
	@$(LINT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off $(addprefix -r ,$(LOCKS) requirements-lint.lock)

sbom: $(LINT_READY) ## what the image installs, as a CycloneDX file (OUT=sbom.json)
	@$(LINT)/bin/cyclonedx-py requirements requirements.lock --output-reproducible --of JSON -o $(or $(OUT),sbom.json)

bench: $(READY) $(OPERATOR_READY) $(BENCH_READY) ## every benchmark, beside other tools (WRITE=1 keeps the results; FULL=1, RECORDS=, ROUNDS= change the sizes)
	@$(BIN)/python -m benchmarks.all $(if $(WRITE),--write) $(if $(FULL),--full) $(if $(RECORDS),--records $(RECORDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-extraction: $(READY) $(OPERATOR_READY) ## how fast a large day is read, beside other ways to page (WRITE=1 keeps the result)
	@$(BIN)/python -m benchmarks.extraction $(if $(WRITE),--write)

format: $(READY) ## put the code into its form
	@$(BIN)/ruff check -q --fix --select I . ; $(BIN)/ruff format .

docs: $(READY) ## write the data dictionary and the page on detections anew
	@$(BIN)/python -m entra_lake.dictionary docs/data-dictionary.md
	@$(BIN)/python -m entra_lake.detection_guide docs/detections.md

lock: $(READY) ## resolve requirements*.in anew
	@for group in requirements requirements-sandbox requirements-test requirements-lint requirements-operator requirements-bench; do \
	  $(BIN)/uv pip compile --system-certs --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url $$group.in -o $$group.lock || exit 1; \
	done

clean: ## forget the simulated cloud and Airflow's database
	rm -rf .run .up

$(READY): $(LOCKS)
	@test -n "$(PYTHON)" || { echo "Entra Lake needs Python 3.11, 3.12 or 3.13; none was found."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Entra Lake needs Python 3.11, 3.12 or 3.13; $(PYTHON) is another. Try: make PYTHON=python3.12"; exit 1; }
	@echo "Installing what Entra Lake needs into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --require-hashes $(addprefix -r ,$(LOCKS))
	@touch $@

$(LINT_READY): requirements-lint.lock $(READY)
	@echo "Installing the linters of infra/ into $(LINT) ..."
	@$(BIN)/python -m venv $(LINT)
	@$(BIN)/uv pip install --system-certs --quiet --python $(LINT)/bin/python --require-hashes -r requirements-lint.lock
	@touch $@

$(OPERATOR_READY): requirements-operator.lock $(READY)
	@echo "Installing Airflow's operator for Microsoft Graph into $(OPERATOR) ..."
	@$(BIN)/python -m venv $(OPERATOR)
	@$(BIN)/uv pip install --system-certs --quiet --python $(OPERATOR)/bin/python --require-hashes -r requirements-operator.lock
	@touch $@

$(BENCH_READY): requirements-bench.lock $(READY)
	@echo "Installing the tools to compare with into $(BENCH) ..."
	@$(BIN)/python -m venv $(BENCH)
	@$(BIN)/uv pip install --system-certs --quiet --python $(BENCH)/bin/python --require-hashes -r requirements-bench.lock
	@touch $@
