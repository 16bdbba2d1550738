# Verbs. `make run` and `make test` set up what they need themselves.
SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
REPLICAS ?= 1
.PHONY: run cluster test check lint docs containers bench conformance chaos mutate lock format clean

run: .venv/run.stamp           ## the whole product in one process, nothing but Python needed
	@exec $(BIN)/ombud run $(ARGS)

cluster: .venv/dev.stamp       ## Kafka, MongoDB, Dovecot, an SMTP sink and each service as a process of its own
	@exec $(BIN)/python -m deploy.local.cluster --replicas $(REPLICAS) $(ARGS)

test: .venv/dev.stamp          ## every test that this machine can run; says what it skipped and why
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

check: lint test               ## what CI runs

lint: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.generate --check
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

containers: .venv/dev.stamp    ## the image, the compose file and the tests' containers, truly run; as root
	$(BIN)/python -m deploy.containers

bench: .venv/dev.stamp         ## what the README's numbers come from
	$(BIN)/python -m bench $(ARGS)

conformance: .venv/dev.stamp   ## other projects' mails and what they expect, if ../shared/corpora is there
	$(BIN)/python -m tests.conformance $(ARGS)

chaos: .venv/dev.stamp         ## the long form of every scenario, three times; writes docs/reliability.md
	$(BIN)/python -m tests.chaos $(ARGS)

mutate: .venv/dev.stamp        ## damages the product on purpose: the suite must notice
	$(BIN)/python -m tests.chaos.mutate $(ARGS)

docs: .venv/dev.stamp          ## make the generated files anew
	$(BIN)/python -m deploy.generate

format: .venv/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:                          ## pin anew what pyproject.toml asks for; needs uv
	deploy/lock.sh

clean:                         ## remove what was set up; data stays
	rm -rf .venv .servers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/%.stamp: requirements.lock pyproject.toml deploy/setup.sh
	@deploy/setup.sh $*
