# Goblins. `make demo` shows it, `make test` checks everything; see README.md.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/goblins
# Outside the clone, so that a fresh clone builds warm.
export CARGO_TARGET_DIR ?= $(CACHE)/target
export GOBLINS_TOOLS := $(CACHE)/tools
CARGO ?= cargo
BIN := $(CARGO_TARGET_DIR)/debug

.PHONY: help
help: ## Shows this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.PHONY: deps
deps: ## Installs by apt what is missing (needs root only then)
	@scripts/deps

.PHONY: build
build: deps ## Builds the daemon and the harness
	$(CARGO) build --locked -p node -p chaos

.PHONY: build-previous
build-previous: deps ## Builds the daemon of the release before this one, to test upgrades from it
	@CARGO=$(CARGO) scripts/previous

.PHONY: demo
demo: build ## Three hosts, a real service, a lost host; leaves the cluster running (needs root)
	@$(BIN)/chaos demo

.PHONY: demo-stop
demo-stop: ## Stops and removes the demo, also a failed one (needs root)
	@test -x $(BIN)/chaos || $(CARGO) build --locked -p chaos
	@$(BIN)/chaos demo-stop

.PHONY: lint
lint: deps ## Formatting, clippy, conventions, licences
	@echo '== tidy'
	$(CARGO) run --locked -q -p tidy
	@echo '== format'
	$(CARGO) fmt --all -- --check
	rustfmt --check --edition 2024 --config-path rustfmt.toml chaos/testserver/main.rs
	@echo '== licences, bans and sources of the dependencies'
	"$$(scripts/cargo-deny)" --locked --log-level error check licenses bans sources
	@echo '== clippy'
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

.PHONY: test
test: lint build-previous build ## Everything: lint, unit, contract, property and system tests (system tests need root)
	@scripts/test

.PHONY: bench
bench: deps ## The figures of the demo, with the release profile (needs root)
	$(CARGO) build --locked --release -p node -p chaos
	$(CARGO_TARGET_DIR)/release/chaos bench

.PHONY: chaos
chaos: build ## Breaks clusters for CHAOS_SECONDS (600), from seed CHAOS_SEED (1) on, and judges what clients saw (needs root)
	@scripts/chaos

.PHONY: simulate
simulate: deps ## Whole nodes on simulated hosts: SEEDS (500, or 7..20); a seed that breaks a promise is printed
	@SEEDS="$(SEEDS)" scripts/simulate

.PHONY: fuzz
fuzz: deps ## Feeds everything that reads bytes of others with libFuzzer for FUZZ_SECONDS (60) each; FUZZ_TARGETS names some
	@scripts/fuzz

.PHONY: bench-api
bench-api: deps ## Requests/s of the REST API on one and three nodes, beside etcd (release profile, needs root)
	@scripts/bench api

.PHONY: bench-raft
bench-raft: deps ## Writes, reads, memory and the loss of a leader on three nodes, beside etcd (needs root)
	@scripts/bench raft

.PHONY: bench-deploy
bench-deploy: deps ## Replicas up and down beside raw containerd and Docker Swarm, and requests lost in deploys (needs root)
	@scripts/bench deploy

.PHONY: bench-planner
bench-planner: deps ## What planning costs with 5,000 nodes and 100,000 replicas (release profile)
	@scripts/bench planner

.PHONY: bench-secrets
bench-secrets: deps ## Reading sealed values, and rotating the key of 100,000 of them under load, on three nodes (needs root)
	@BENCH_FLAGS="$${BENCH_FLAGS:---objects 100000}" scripts/bench secrets

.PHONY: bench-store
bench-store: deps ## Starts, memory, snapshots and what they cost writers with 1,000,000 resources, on one node (needs root)
	@BENCH_FLAGS="$${BENCH_FLAGS:---objects 1000000}" scripts/bench store

.PHONY: clean
clean: ## Removes what was built and cached
	@if [ -x $(BIN)/chaos ] && [ "$$(id -u)" = 0 ]; then $(BIN)/chaos demo-stop; fi
	rm -rf $(CARGO_TARGET_DIR) $(CACHE)
