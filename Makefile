# The two commands of the README are `make demo` and `make test`; each sets up all it needs, once.
VENV    ?= .venv
BIN     := $(VENV)/bin
RUNBOOK := $(BIN)/runbook
PYTEST  := $(BIN)/python -m pytest -q
STAMP   := $(VENV)/.installed
CODE    := runbook_engine adapters apps tests tools scripts scripts/tools scripts/lambda_zip $(wildcard benchmarks)
# In this order several at once end soonest: the longest first.
SCANS   := infrastructure manifests configuration scripts admission states pipeline images workflows yaml charts
# Tests with real neighbours wait more than they compute: three for each of the gate's two cores.
PROCESSES ?= 6
# These bring eight processes of their own.
ALONE   := tests/contention
UV      ?= $(or $(shell command -v uv),$(BIN)/uv)
RUNBOOKS ?= runbooks/aws
CONFIG  ?= terraform/examples/engine.yaml
CHART   := helm/runbook-engine
RIGHTS  := $(RUNBOOK) permissions --runbooks runbooks/kubernetes --config $(CHART)/example/engine.yaml \
  --subject serviceaccount:runbooks/runbook-engine

unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup tools cluster lambda demo test test-fast test-cluster test-long crash-long crash-cloud-long chaos attack soak check lint types imports schema runbooks alerts state-machine rbac scan fmt bench bench-peers docs-generated lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements.lock scripts/setup
	@scripts/setup $(VENV)
	@touch $@

setup: $(STAMP)  ## make the virtual environment (the other targets do it when needed)

tools: setup  ## fetch the pinned helm, kubectl and Lambda emulator into .tools (tests need them)
	@$(BIN)/python scripts/tools

cluster: setup  ## an emulated Kubernetes cluster to try things on, with an installation for it in .cluster/
	@$(BIN)/python -m tests.emulators.kubernetes .cluster

lambda: setup  ## the zip of the AWS host for arm64 and x86_64, in build/lambda (RUNBOOKS=folder CONFIG=file LAMBDA=--no-bytecode)
	$(BIN)/python scripts/lambda_zip --runbooks $(RUNBOOKS) --config $(CONFIG) $(LAMBDA)

demo: setup  ## a real incident on this machine, remediated before your eyes (under 90 s)
	@$(RUNBOOK) demo

test: setup  ## every test, the fast ones first
	$(PYTEST) -n 2 tests/unit
	$(PYTEST) -n $(PROCESSES) --dist loadgroup tests apps --ignore=tests/unit $(addprefix --ignore=,$(ALONE))
	$(PYTEST) $(ALONE)

test-fast: setup  ## only the fast tests
	$(PYTEST) -n 2 tests/unit -m "not slow" --hypothesis-profile fast

test-cluster: setup  ## the cluster contract on a real cluster (RUNBOOK_TEST_KUBECONFIG=path; see CONTRIBUTING.md)
	@test -f "$(RUNBOOK_TEST_KUBECONFIG)" || { echo 'set RUNBOOK_TEST_KUBECONFIG to the kubeconfig of a cluster for tests'; exit 2; }
	RUNBOOK_TEST_KUBECONFIG="$(abspath $(RUNBOOK_TEST_KUBECONFIG))" $(PYTEST) tests/contract/kubernetes --timeout 600

test-long: setup  ## the long form of what `make test` samples: all places, more alerts, more examples
	RUNBOOK_TESTS=long $(PYTEST) -n 2 --timeout 1800 tests/unit tests/properties tests/hostile tests/contract/journal \
	  tests/contract/dynamodb tests/crash/test_every_checkpoint.py tests/crash/test_serverless.py \
	  tests/crash/test_drain.py tests/crash/test_shipped_runbooks.py tests/scenario/test_groups.py \
	  tests/contract/test_streams.py
	RUNBOOK_TRANSCRIPTS=long EXAMPLES_IN_MOTO=100 $(PYTEST) -n 2 --timeout 1800 \
	  tests/pipeline/test_same_transcript.py tests/contract/journal/test_agreement.py
	RUNBOOK_TESTS=long $(PYTEST) --timeout 600 tests/contention

crash-long: setup  ## SIGKILL at every place of every case (the short form runs with `make test`)
	RUNBOOK_CRASH=long $(PYTEST) tests/crash/test_processes.py

crash-cloud-long: setup  ## the same in the AWS host: every place of every action, in the zip's own processes too
	RUNBOOK_CRASH=long $(PYTEST) -n 4 --timeout 3600 tests/pipeline/test_every_checkpoint.py tests/pipeline/rie/test_deaths.py

chaos: setup tools  ## every fault, the long form: a thousand kills a host and more, with the table (about two hours)
	rm -rf build/chaos
	RUNBOOK_CHAOS=long $(PYTEST) -n 2 --dist loadgroup --timeout 7200 tests/chaos || { $(BIN)/python -m tests.chaos; exit 1; }
	$(BIN)/python -m tests.chaos

attack: setup  ## every attack on every door, with the table
	rm -rf build/attack
	$(PYTEST) -n 4 --dist loadgroup tests/attack || { $(BIN)/python -m tests.attack; exit 1; }
	$(BIN)/python -m tests.attack

soak: setup  ## an hour's work in a row: is memory flat, and does a storm of 10,000 alerts in a minute leave the page up?
	$(BIN)/python -m benchmarks soak storm

check: lint types imports schema runbooks alerts  ## everything that a review expects, tests excepted

lint: setup  ## style and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: setup  ## mypy --strict
	$(BIN)/mypy

imports: setup  ## the dependency rule of .importlinter
	@PYTHONPATH=.:adapters $(BIN)/lint-imports

schema: setup  ## the generated JSON Schema is the committed one
	$(RUNBOOK) schema | diff - docs/schema/runbook.v1.json

runbooks: setup  ## the shipped runbooks lint cleanly and pass their tests
	$(RUNBOOK) lint runbooks --strict
	$(RUNBOOK) test runbooks

alerts: setup  ## the shipped alert rules start the shipped runbooks, with every label that these need
	$(PYTEST) tests/rules/test_coverage.py

state-machine: setup  ## write the definition of the driver's state machine anew, for Terraform
	$(BIN)/python -m runbook_engine.entrypoints.aws_lambda.state_machine > terraform/modules/runbook_engine/driver.asl.json

rbac: setup  ## write the RBAC manifests of the shipped runbooks anew, for observing and for acting
	$(RIGHTS) --mode observe --format rbac > $(CHART)/rbac/observe.yaml
	$(RIGHTS) --mode observe --format helm > $(CHART)/rbac/observe.values.yaml
	$(RIGHTS) --format rbac > $(CHART)/rbac/act.yaml
	$(RIGHTS) --format helm > $(CHART)/rbac/act.values.yaml

docs-generated: setup  ## write the tables of docs that come from the code anew: actions, senders
	$(BIN)/python -m runbook_engine.entrypoints.reference > docs/actions.md
	$(BIN)/python -m runbook_engine.entrypoints.sender_table docs/senders.md

scan: $(addprefix scan-,$(SCANS))  ## the pinned scanners over charts, images and scripts

$(addprefix scan-,$(SCANS)): scan-%: tools
	@scripts/scan $*

fmt: setup  ## let ruff repair style and format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: setup  ## measure matching, ingest, engine overhead and start-up (BENCH=--quick for the short form)
	$(BIN)/python -m benchmarks $(BENCH)

bench-peers: setup  ## compare with other engines, each in an environment of its own (BENCH=--quick; two want Java 17)
	$(UV) venv -q --allow-existing --python $(BIN)/python .venv-peers
	$(UV) pip install -q --python .venv-peers/bin/python msgspec google-re2 rule-engine cel-python \
	  common-expression-language drools-jpy
	$(UV) venv -q --allow-existing --python $(BIN)/python .venv-peers/ansible
	-$(UV) pip install -q --python .venv-peers/ansible/bin/python 'ansible-rulebook>=1.2' ansible-core ansible-runner
	$(UV) venv -q --allow-existing --python $(BIN)/python .venv-peers/dbos
	-$(UV) pip install -q --python .venv-peers/dbos/bin/python dbos
	.venv-peers/bin/python -m benchmarks.peers $(BENCH)
	$(BIN)/python -m benchmarks $(BENCH) ansible_rulebook dbos_steps
	$(UV) venv -q --allow-existing --python $(BIN)/python .venv-peers/robusta
	$(UV) pip install -q --python .venv-peers/robusta/bin/python msgspec google-re2 'robusta-cli<0.11'
	.venv-peers/robusta/bin/python -m benchmarks.peers $(BENCH)

lock:  ## pin the newest dependencies that pyproject.toml allows (needs uv)
	$(UV) pip compile pyproject.toml --quiet --all-extras --group dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  --output-file requirements.lock
	@! grep -n '://' requirements.lock || { echo 'requirements.lock names an address: it must not'; exit 1; }

clean:  ## remove what the other targets made
	rm -rf $(VENV) .venv-peers .tools build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find runbook_engine adapters apps tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
