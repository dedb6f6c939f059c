# Everything a person needs is `make up` and `make test`. What the project needs beyond Rust, Node and
# Python is installed into .tools by scripts/install-tools, pinned.
SHELL := /bin/bash
.DEFAULT_GOAL := help
TOOLS := $(CURDIR)/.tools
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
AIDEATOR := $(TARGET)/debug/aideator
export PATH := $(TOOLS)/bin:$(PATH)
export AIDEATOR_TOOLS := $(TOOLS)
export NEXT_TELEMETRY_DISABLED := 1

.PHONY: help up build tools model-tools web binaries images test test-rust test-web test-e2e test-tilt test-chart e2e lint soak bench bench-peers bench-faults bench-cluster schema clean

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

up: model-tools build ## install, build and start everything; ends with the address
	@$(AIDEATOR) up $(UP)

build: web ## build the web interface and the binaries; links `aideator` into .tools/bin
	cargo build -p aideator
	@mkdir -p $(TOOLS)/bin && ln -sf $(AIDEATOR) $(TOOLS)/bin/aideator

# Selected together with aideator they get the features it gives them, so that nothing is compiled twice.
SERVICES := aideator-edge aideator-submitter aideator-watcher aideator-agent
binaries: tools build ## build what goes into the container images; gathers it in target/images
	cargo build -p aideator $(addprefix -p ,$(SERVICES))
	@scripts/build-images --stage

images: binaries ## build the container images (ENGINE, REGISTRY, TAG, PUSH=1, EXTRA: see scripts/build-images)
	@scripts/build-images

tools: ## install nats-server into .tools
	@scripts/install-tools

model-tools: ## the same, and the small local model
	@scripts/install-tools --model

WEB_SOURCES := $(shell git ls-files frontend 2>/dev/null)
web: frontend/out/index.html ## build the web interface
frontend/node_modules/.package-lock.json: frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund
frontend/out/index.html: frontend/node_modules/.package-lock.json $(WEB_SOURCES)
	cd frontend && npm run build && touch out/index.html

test: tools lint test-web test-rust test-tilt test-chart test-e2e ## run every test

lint: ## formatting, clippy and, where cargo-deny is installed, the arrows between crates
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check bans; else echo "cargo-deny is not installed: the arrows between crates are not checked"; fi

test-rust: tools web ## unit, property and nats-server tests, and the built binaries end to end
	AIDEATOR_SIM_SECONDS=60 cargo test --workspace

test-web: web ## types, lint and unit tests of the web interface
	cd frontend && npm run typecheck && npm run lint && npm test

test-e2e: build ## the web interface in a real browser; left out without chromium (REQUIRE_CHROMIUM=1: fails)
	cd frontend && npm run e2e

test-tilt: ## the Tiltfile, against stand-ins for Tilt, and how it restarts a changed binary
	@scripts/install-tools --starlark
	@$${PYTHON:-python3} scripts/test-tiltfile

test-chart: ## the chart rendered in every mode; left out without helm (REQUIRE_HELM=1: fails)
	@$${PYTHON:-python3} scripts/test-chart

e2e: $(if $(filter prebuilt,$(E2E_IMAGES)),build,binaries) ## everything on the cluster of the current kubeconfig (ONLY=word: some; see scripts/e2e)
	@AIDEATOR=$(AIDEATOR) $${PYTHON:-python3} scripts/e2e

soak: tools build ## the long fault test and the long simulation
	AIDEATOR_SOAK=1 cargo test -p aideator --test faults -- --nocapture
	AIDEATOR_SIM_SECONDS=600 cargo test -p aideator --test life_of_a_run -- --nocapture

bench: tools build ## measure; writes bench/RESULTS.md
	cargo run -p aideator-bench -- --aideator $(AIDEATOR) --out bench/RESULTS.md

# Without ARGS all is measured and written; with ARGS (--only NAME, --peer NAME, --rounds N) it is printed.
bench-peers: tools ## measure the edge beside nchan and Durable Streams (ARGS: see --help); adds to bench/RESULTS.md
	@scripts/install-peers
	cargo build -p aideator-edge -p aideator-bench-peers
	$(TARGET)/debug/aideator-bench-peers --edge $(TARGET)/debug/aideator-edge $(or $(ARGS),--out bench/RESULTS.md)

# Without ARGS everything happens and is written; with ARGS (names of faults, --note WORDS) it is printed.
bench-faults: tools ## kill, cut and stall what viewers need, and say what they noticed (ARGS: see --help); adds to bench/RESULTS.md
	cargo build -p aideator-edge -p aideator-bench-faults
	$(TARGET)/debug/bench-faults --edge $(TARGET)/debug/aideator-edge $(or $(ARGS),--out bench/RESULTS.md)

bench-cluster: build ## measure on the cluster of the current kubeconfig (ARGS: see bench/cluster.py); adds to bench/RESULTS.md
	@AIDEATOR=$(AIDEATOR) $${PYTHON:-python3} bench/cluster.py $(ARGS)

schema: ## write nats/schema from the types
	UPDATE_SCHEMA=1 cargo test -p aideator-contract --test schema

clean: ## remove what was built
	rm -rf frontend/out frontend/.next
	cargo clean
