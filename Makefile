# Everything that is done with this repository. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := localstack/.venv
# Package lists are downloaded only when something is missing.
APT := build-essential python3-venv
# For the tests of the pages; they say that they are skipped where it is missing.
BROWSER := chromium chromium-driver
# What deploy and undeploy both want to know; YES=1 asks no question.
INSTALLATION = $(if $(INSTALL_ID),--install-id "$(INSTALL_ID)") $(if $(YES),--yes)

.PHONY: help setup browser promtool build lint layers unit traces localstack-unit localstack-test simulation planted test demo deploy undeploy images bench-wake bench-held bench-flapping storm bench-scale nginx bench-proxy fuzz mutants schema deny clean

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.installed browser promtool ## Installs what the tests need: Python environment, C compiler, browser, promtool
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs" >&2; exit 1; }

browser:
	@if command -v chromedriver >/dev/null && command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy --no-install-recommends $(BROWSER); \
	else echo "the tests of the pages will be skipped without: sudo apt-get install $(BROWSER)" >&2; fi

# In runlevel 1 Debian starts nothing of what it installs.
promtool:
	@if command -v promtool >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && RUNLEVEL=1 apt-get install -qy --no-install-recommends prometheus; \
	else echo "the alert rules will not be tried without: sudo apt-get install prometheus" >&2; fi

$(VENV)/.installed: localstack/requirements.txt
	@if ! command -v cc >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy --no-install-recommends $(APT); \
	  else echo "missing: sudo apt-get install $(APT)" >&2; exit 1; fi; fi
	python3 -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r localstack/requirements.txt
	@touch $@

build: ## Builds the programs, unoptimised, into target/debug
	cargo build --locked --workspace --bins

lint: ## Formatting and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p dormouse-proxy --features tls --all-targets -- -D warnings
	cargo clippy --locked --workspace --features dormouse/otel --lib --test traced -- -D warnings

layers: ## The core knows no runtime and no AWS; sidecars and simulation know no AWS; traces are optional
	@! cargo tree --locked -p dormouse-core -e normal | grep -E '(aws|tokio|hyper)[a-z0-9-]* v'
	@! cargo tree --locked -p dormouse-proxy -p dormouse-service -e normal | grep -E 'aws[a-z0-9-]* v'
	@! cargo tree --locked -p dormouse-sim -e normal | grep -E 'aws-[a-z0-9-]* v'
	@! cargo tree --locked -p dormouse -e normal | grep -E '(opentelemetry|prost)[a-z0-9_-]* v'

unit: setup build ## Unit, property and contract tests, with the local AWS beside them
	localstack/with-aws cargo test --locked --workspace --exclude dormouse-e2e
	cargo test --locked -p dormouse-proxy --features tls --test tls

localstack-unit: setup ## The local AWS's own tests
	cd localstack && .venv/bin/python -m pytest -q tests

localstack-test: setup build ## End to end: real programs and processes on the local AWS (LOCALSTACK=1: on LocalStack)
	cargo test --locked -p dormouse-e2e

# Last of all tests: it leaves a `dormouse` that traces. Features of the whole workspace, so that little is built anew.
traces: ## Tests of the feature `otel`
	cargo test --locked --workspace --exclude dormouse-e2e --features dormouse/otel --test traced

# One build for both: with the feature, faults can be planted, and none is in the seeds.
SIMULATION := cargo run --locked --profile sim -p dormouse-sim --features mutants --
simulation: ## Runs of the simulation, on all cores (SEEDS=A..B)
	$(SIMULATION) --seeds $(or $(SEEDS),0..4000) --jobs $$(nproc)

planted: ## Every planted fault with what showed it last: half a minute
	$(SIMULATION) --mutants --quick --jobs $$(nproc) --table controller/sim/MUTANTS.md

test: setup lint layers unit simulation planted localstack-unit localstack-test traces ## All tests

demo: $(VENV)/.installed build ## The main job on the local AWS, to watch and to try; Ctrl-C ends it
	@$(VENV)/bin/python localstack/demo/run.py

deploy: $(VENV)/.installed ## Deploys into your AWS account: DOMAIN=example.com [SET='Name=value …']
	@test -n "$(DOMAIN)" || { echo "say which domain: make deploy DOMAIN=example.com" >&2; exit 2; }
	@$(VENV)/bin/python manifests/infrastructure/deploy.py --domain "$(DOMAIN)" $(INSTALLATION) \
	  $(if $(IMAGES),--images "$(IMAGES)") $(if $(TAG),--tag "$(TAG)") $(if $(BUILD),--build) $(if $(TRUNKING),--trunking) \
	  $(if $(DRY_RUN),--dry-run) $(foreach one,$(SET),--set "$(one)")

undeploy: $(VENV)/.installed ## Removes an installation and all that it made from your AWS account
	@$(VENV)/bin/python manifests/infrastructure/undeploy.py $(INSTALLATION)

images: ## Builds the static programs with their bills of materials and, with Docker, the images (ARCH=aarch64)
	localstack/images/build $(ARCH)
	localstack/images/build-controller $(ARCH)

bench-wake: setup ## How long a wake takes, and what Dormouse costs in calls and memory
	cargo build --locked --release --workspace --bins
	cargo run --locked --release -p dormouse-e2e --bin bench-wake

# Debian would start what it installs, if this were not runlevel 1.
nginx:
	@if PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && RUNLEVEL=1 apt-get install -qy --no-install-recommends nginx; \
	else echo "missing: sudo apt-get install nginx" >&2; exit 1; fi

bench-proxy: nginx ## What the proxy costs beside nginx, in the same run (sidecars/bench; ARGS="--quick small")
	localstack/images/build
	cargo run --locked --release -p dormouse-bench -- --proxy localstack/.images/proxy/dormouse-proxy $(ARGS)

bench-held: setup ## 10,000 requests held for one sleeping service: memory, and how long they wait
	cargo build --locked --release --workspace --bins
	cargo run --locked --release -p dormouse-e2e --bin bench-held

storm: setup ## Everything goes wrong at once, with real processes: nothing lost, nothing twice (MINUTES=5 SEED=1)
	cargo build --locked --workspace --bins
	cargo run --locked -p dormouse-e2e --bin storm -- --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1)

bench-flapping: setup ## Sleeping and waking for five minutes under 50 requests a second: none lost, none done twice
	cargo build --locked --release --workspace --bins
	cargo run --locked --release -p dormouse-e2e --bin bench-flapping

bench-scale: ## What 100, 1,000 and 10,000 services cost the controller: processor, calls, table, memory
	cargo run --locked --profile sim -p dormouse-sim --bin bench-scale

FOR := 1800
fuzz: ## Any bytes at all through the proxy, for FOR seconds a target (sidecars/fuzz; needs a nightly compiler)
	@rustup toolchain list | grep -q '^nightly' || { echo "missing: rustup toolchain install nightly" >&2; exit 1; }
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	cd sidecars/fuzz && cargo run --quiet --bin seeds
	cd sidecars/fuzz && for target in parse forward; do \
	  cargo +nightly fuzz run --fuzz-dir . $$target -- -max_len=4096 -timeout=30 -max_total_time=$(FOR) || exit 1; done

mutants: ## Plants each fault, looks for it anew, and writes controller/sim/MUTANTS.md (minutes)
	$(SIMULATION) --mutants --seeds 0..16 --jobs $$(nproc) --table controller/sim/MUTANTS.md
	cargo test --locked -p dormouse-core --features mutants --test interleaved planted

schema: ## Renews the manifest's JSON Schema
	cargo run --locked --bin dormouse -- schema > manifests/schema.json

deny: ## Licences, sources and duplicates of dependencies (installs cargo-deny)
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --all-features check bans licenses sources

clean: ## Removes everything that was built or installed here
	rm -rf target $(VENV) localstack/.run localstack/.images
