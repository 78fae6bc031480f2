# The two commands: `make demo` and `make test`. Everything else is a part of them, or slower.

CARGO ?= cargo
DEMO := fixtures/scenarios/demo

.PHONY: damage demo demo-live live-check test test-long prepare build lint unit docs-check fuzz-smoke fuzz benches-build bench bench-compare docs-update expected-update clean

## Builds the sensor and replays a small plant's capture: alerts on standard output, the summary on standard error.
demo: build
	@target/release/yagura replay $(DEMO)/capture.pcap --site $(DEMO)/site.toml --baseline $(DEMO)/baseline.toml
	@echo >&2; echo "The devices of that plant:" >&2
	@target/release/yagura assets $(DEMO)/capture.pcap --site $(DEMO)/site.toml --format table >&2

## The sensor at a mirror port of a small plant in network namespaces of this machine; needs root.
demo-live: build
	@scripts/demo-live.sh

## Everything that must hold on this machine.
test: prepare lint build unit docs-check live-check fuzz-smoke benches-build

## The same as `demo-live`, where only faults are told.
live-check: build
	@scripts/demo-live.sh --check

prepare:
	@scripts/prepare.sh

build: prepare
	@$(CARGO) build --release --locked -p yagura

lint: prepare
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit: build
	YAGURA_BIN=$(CURDIR)/target/release/yagura $(CARGO) test --workspace --locked

docs-check: prepare
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

## What takes too long for every change: hours of damage, every octet of a torn journal, ports that come and go (root).
test-long: build
	$(CARGO) test --release --locked -p yagura-journal -- --include-ignored
	$(CARGO) test --release --locked -p yagura-outputs -- --include-ignored
	$(CARGO) test --release --locked -p yagura-live -- --include-ignored
	$(CARGO) test --profile quick --locked -p tests --test damage -- --ignored --nocapture
	scripts/kill-test.sh 1000

## One minute of fuzzing, shared by all targets; `make fuzz SECONDS_EACH=3600` for longer, docs/fuzzing.md for releases.
fuzz-smoke: prepare
	scripts/fuzz.sh smoke

## Every fixture packet, cut at every length and with every value in its first 128 octets, through the whole analyzer.
damage: prepare
	$(CARGO) test --profile quick --locked -p tests --test damage -- --ignored --nocapture

SECONDS_EACH ?= 600
fuzz: prepare
	scripts/fuzz.sh $(SECONDS_EACH)

benches-build: prepare
	$(CARGO) bench -p benches --locked --no-run

## The stopwatch; see docs/performance.md.
bench: prepare
	$(CARGO) bench -p benches --locked --profile release

## Whole processes on captures of a folder, beside a bare loop and what else is installed: CAPTURES=FOLDER.
bench-compare: build
	$(CARGO) build --release --locked -p benches --bin bare
	python3 scripts/bench_compare.py target/release $(CAPTURES)

## Writes the documents that the program knows best.
docs-update: build
	target/release/yagura show detections --format markdown > docs/detections.md
	target/release/yagura show protocols --format markdown > docs/protocols.md
	target/release/yagura show records --format markdown > docs/records.md

## Writes fixtures and their expected output anew; `git diff` shows the news.
expected-update: build
	$(CARGO) run --release --locked -p fixtures --bin scenarios
	UPDATE_EXPECTED=1 YAGURA_BIN=$(CURDIR)/target/release/yagura $(CARGO) test --locked -p tests --test golden

clean:
	$(CARGO) clean
