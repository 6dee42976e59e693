# The task runner. Every target sets up what it needs: a virtual environment in .venv, made anew when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# How many processes share the tests.
WORKERS ?= auto
# The folders of tests that want sockets, other processes, or seconds.
SLOW := agents asgi cli demo differential docs gauntlet inprocess packaging properties sdk trio_server

.PHONY: agents demo test test-fast test-deep mutants mcp-js mcp-conformance check format types lint golden docs bench clean

$(VENV)/.run: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --group test --group check
	touch $@

demo: $(VENV)/.run  ## start the demo provider and the gateway, show every protocol (DEMO_ONCE=1: then exit)
	$(BIN)/agcore demo $(if $(DEMO_ONCE),--once)

test: $(VENV)/.test  ## every test, with the gate of coverage
	$(BIN)/pytest -q -n $(WORKERS) --cov --cov-report=
	$(BIN)/python -m tests.coverage_gate

test-fast: $(VENV)/.test  ## what needs no socket, no process and no second: while one works
	$(BIN)/python -m pytest -q -n $(WORKERS) -p tests.support.no_sockets $(SLOW:%=--ignore=tests/%)

test-deep: $(VENV)/.test  ## every test, each property with many more examples, other ones each time
	$(BIN)/pytest -q -n $(WORKERS) --hypothesis-profile=deep

mutants: $(VENV)/.test  ## rules of the core, broken one at a time: does a test notice?
	$(BIN)/python -m tests.mutants

mcp-js:  ## what the tests with the MCP client in JavaScript need; without it they are skipped
	npm install --prefix tests/sdk/js --no-package-lock --no-audit --no-fund

mcp-conformance: $(VENV)/.test  ## the protocol's official suite against the vision server; needs npm
	npm install --prefix build/mcp-conformance --no-package-lock --no-audit --no-fund @modelcontextprotocol/conformance@0.1.16 node@22
	$(BIN)/python -m tests.sdk.mcp_conformance build/mcp-conformance

agents: $(VENV)/.test  ## real agents through the gateway to strict vendors, offline once installed; needs npm
	npm install --prefix build/agents --no-package-lock --no-audit --no-fund @anthropic-ai/claude-code @openai/codex @google/gemini-cli opencode-ai
	test -x build/agents/aider/bin/aider || ($(PYTHON) -m venv build/agents/aider && build/agents/aider/bin/pip install --quiet aider-chat)
	$(BIN)/python -m tests.agents build/agents
	$(BIN)/python -m tests.agents.failures build/agents

check: $(VENV)/.test  ## lint, format, types, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m docs.generate --check

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(VENV)/.test  ## write the golden files anew; review the diff
	$(BIN)/pytest -q tests/golden --update-golden

docs: $(VENV)/.test  ## write the generated pages anew
	$(BIN)/python -m docs.generate

bench: $(VENV)/.test
	$(BIN)/python benchmarks/relay.py

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage tests/sdk/js/node_modules
