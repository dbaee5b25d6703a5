# The verbs. `make demo` and `make test` do everything on a fresh machine with Python, a C compiler and Rust.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CRASH_SECONDS ?= 120
PYTEST_JOBS ?= 2
RUST_SOURCES := $(shell find crates -name '*.rs' -not -path '*/tests/*') Cargo.lock $(wildcard crates/*/Cargo.toml)

.DEFAULT_GOAL := help
.PHONY: $(shell grep -oE '^[a-z-]+:' $(MAKEFILE_LIST) | tr -d :)

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.tools: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.9,<2'
	$(BIN)/python -m pip install --quiet --group check
	@touch $@

$(VENV)/.built: $(VENV)/.tools $(RUST_SOURCES) pyproject.toml
	$(BIN)/maturin develop --release --locked --quiet --extras demo
	@touch $@

build: $(VENV)/.built  ## build everything into .venv

demo: build  ## the main job with real processes, sockets and kills, in half a minute
	$(BIN)/fuseboard demo

test: test-rust model crash-points test-python  ## every layer in its short form; ten minutes on two quiet cores

proof:  ## what the short forms leave out: all preemptions, all mutants, death at every instruction, storms; two hours
	@echo "proof 1/3: the models of the core in their full form"
	@$(MAKE) --no-print-directory model-full
	@echo "proof 2/3: the mutants of the core"
	@$(MAKE) --no-print-directory mutants MUTANTS=--trust-shipped  # the models just passed on it
	@echo "proof 3/3: death at every instruction, then two storms of $(CRASH_SECONDS) s"
	@$(MAKE) --no-print-directory crash

test-rust: ## the tests of the core and of the table
	cargo test --locked --quiet --package fuseboard-core --package fuseboard-shm

test-python: build  ## the tests of the package, over real processes; PYTEST_JOBS (2) at once
	$(BIN)/python -m pytest --numprocesses $(PYTEST_JOBS) --dist loadfile

# One binary of models, run as one pool. cargo-nextest runs the longest first and says how long each took; cargo alone does as well.
MODELS := --locked --package fuseboard-core --test models
ifneq ($(shell command -v cargo-nextest),)
RUN_MODELS := cargo nextest run --cargo-profile loom $(MODELS)
else
RUN_MODELS := echo "cargo-nextest is not installed: cargo runs the models, in the order of their names" >&2; cargo test --profile loom $(MODELS)
endif

model:  ## the models of the shipped core, with one preemption in each execution
	@export RUSTFLAGS="--cfg fuseboard_loom" CARGO_TARGET_DIR=target/loom; $(RUN_MODELS)

model-full:  ## the same with two
	@export RUSTFLAGS="--cfg fuseboard_loom" CARGO_TARGET_DIR=target/loom FUSEBOARD_MODELS=full; $(RUN_MODELS)

mutants:  ## break the core in the ways that mutants/*.patch say, and see that the models catch each
	$(PYTHON) tools/mutants.py $(MUTANTS)

crash-points:  ## stop every operation of the core before each of its shared writes, for good, and go on with the others
	RUSTFLAGS="--cfg fuseboard_crash -D warnings" CARGO_TARGET_DIR=target/crash \
		cargo test --locked --quiet --package fuseboard-core --test crash_points

crash: crash-points build  ## death at every instruction, and two storms of CRASH_SECONDS (120) each; ten minutes
	FUSEBOARD_SINGLE_STEP=full cargo test --locked --quiet --release --package fuseboard-shm \
		--test single_step -- --nocapture
	FUSEBOARD_STORM_SECONDS=$(CRASH_SECONDS) cargo test --locked --quiet --release --package fuseboard-shm \
		--test kill_storm -- --nocapture
	FUSEBOARD_STORM_SECONDS=$(CRASH_SECONDS) $(BIN)/python -m pytest -q -s tests/processes/test_kill.py

mutation: build  ## break core, table and package in every small way, and see what the quick tests miss; takes an hour
	$(BIN)/python -m pip install --quiet --group mutation
	$(BIN)/python tools/mutation.py all

pythons:  ## the tests on every CPython from 3.11 to 3.15 that is here, and which is not; PYTHONS='--quick 3.12' or --help
	@$(PYTHON) tools/pythons.py $(PYTHONS)

platforms:  ## aarch64 in an emulator, musl, and what the compiler says of macOS and Windows; PLATFORMS='--checks' or --help
	@$(PYTHON) tools/platforms.py $(PLATFORMS)

debian-pythons:  ## CPython 3.14, its debug build and 3.15, in .pythons; needs root; DEBIAN_PYTHONS=free-threaded or --help
	@tools/debian_pythons.sh $(DEBIAN_PYTHONS)

threads: build  ## the store's contract in eight threads at once
	FUSEBOARD_TEST_THREADS=8 $(BIN)/python -m pytest tests/contract

free-threaded: build  ## suite, stress and scaling on a Python without the interpreter lock; FREE_THREADED=stress or --help
	@$(PYTHON) tools/free_threaded.py $(FREE_THREADED)

tsan:  ## run the tests with real threads under ThreadSanitizer; needs a nightly toolchain, and says so
	$(PYTHON) tools/tsan.py

# Warnings are errors. The builder keeps what it has made in .cache; --clean drops that.
docs: build  ## build the docs site into target/site, from the pages and the docstrings
	PYTHONPATH=tools $(BIN)/zensical build --strict --clean
	@echo "the site is in target/site; with its search: $(BIN)/python -m http.server --directory target/site"

check: build docs changelog-check  ## formats, lints, types, stubs, docs site, changelog fragments, and whether all mutants apply
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo clippy --locked --package fuseboard-core --test models --quiet -- -D warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m mypy.stubtest --ignore-disjoint-bases fuseboard._core
	@applies() { patch -d "$$1" -p1 --dry-run --batch --quiet --fuzz=1 -i "$$2" || { echo "$$2 does not apply" >&2; exit 1; }; }; \
	for mutant in fuzz/mutants/*.patch; do applies . "$$PWD/$$mutant"; done; \
	for mutant in crates/fuseboard-core/mutants/*.patch; do applies crates/fuseboard-core "$$PWD/$$mutant"; done

# What the oldest Rust compiles is what it is given without the tests: those who build from source build that.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv:  ## compile with the oldest Rust that Cargo.toml promises; needs rustup
	rustup run $(MSRV) rustc --version || rustup toolchain install $(MSRV) --profile minimal --no-self-update
	CARGO_TARGET_DIR=target/msrv cargo +$(MSRV) check --locked --workspace --quiet

audit: $(VENV)/.tools  ## known faults and licenses of what we build with; needs the network and cargo-deny
	$(BIN)/python -m pip install --quiet --group audit
	$(BIN)/python tools/audit.py

coverage: coverage-rust coverage-python  ## which lines of core, table and package the tests run; half an hour; needs cargo-llvm-cov

coverage-rust:
	rustup component add llvm-tools
	cargo llvm-cov --locked --quiet --package fuseboard-core --package fuseboard-shm

# Measuring changes what a process imports, reads and writes, so tests of that are left out; so are storms, whose killed processes
# leave half a file of figures behind. TESTS names some tests instead of all.
UNMEASURED := --ignore tests/benchmarks --ignore tests/linearizability --ignore tests/processes/test_kill.py \
	--ignore tests/processes/test_system_calls.py \
	--deselect tests/unit/test_values.py::test_the_import_brings_nothing_slow \
	--deselect tests/unit/store/test_store_folder.py::test_a_folder_of_the_user_is_used
coverage-python: build
	$(BIN)/python -m pip install --quiet --group coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(PYTEST_JOBS) --dist loadfile $(UNMEASURED) $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: build  ## what a guarded call costs, beside yardsticks and every peer; eight minutes, or BENCH=--quick for one
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m bench $(BENCH)

wheels: $(VENV)/.tools  ## the files of a release, each tried away from the sources; WHEELS='3.12 --systems x86_64' or --help
	$(BIN)/python -m pip install --quiet --group wheels
	$(BIN)/python tools/wheels.py $(WHEELS)

fuzz:  ## search for bytes that break a table, FUZZ_SECONDS (60) for each of three targets; needs cargo-fuzz
	fuzz/run.sh $(or $(FUZZ_SECONDS),60)

fuzz-control:  ## break the code in ten ways, and see that the fuzzer and the tests of any_bytes find each
	fuzz/control.sh

changelog: changelog-check  ## what the next release's section of CHANGELOG.md would say
	@$(BIN)/towncrier build --draft 2>/dev/null

changelog-check: build
	@said=$$($(BIN)/towncrier build --draft 2>&1) || { echo "$$said" >&2; exit 1; }
	@empty=$$(grep -L '[^[:space:]]' changelog.d/*.md); [ -z "$$empty" ] || { echo "empty: $$empty" >&2; exit 1; }

hooks: $(VENV)/.tools  ## run the quick checks at each commit and push of this clone
	$(BIN)/pre-commit install

format:  ## format everything
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:  ## remove what was built
	rm -rf target $(VENV) .cache python/fuseboard/*.so
