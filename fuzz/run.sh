#!/usr/bin/env bash
# Fuzz: fuzz/run.sh [SECONDS] [TARGET...]   each target for so long (default 60 seconds, all three)
#       fuzz/run.sh control                 see that the fuzzer finds three planted faults
# Needs `cargo install cargo-fuzz` and a C++ compiler. FUZZ_SANITIZER=address needs RUSTUP_TOOLCHAIN=nightly too.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg fuseboard_crash"  # counts the shared writes of each operation, see checks/steps.rs
sanitizer=${FUZZ_SANITIZER:-none}
shm=/dev/shm
[ -d "$shm" ] || shm=${TMPDIR:-/tmp}
FUSEBOARD_FUZZ_DIR=$(mktemp -d "$shm/fuseboard-fuzz.XXXXXX")
export FUSEBOARD_FUZZ_DIR
trap 'rm -rf "$FUSEBOARD_FUZZ_DIR"' EXIT

fuzz() {  # target, seconds, corpora
    local target=$1 seconds=$2
    shift 2
    cargo fuzz run --fuzz-dir fuzz --sanitizer "$sanitizer" "$target" "$@" -- \
        -max_total_time="$seconds" -max_len=2048 -len_control=0 -timeout=20 -print_final_stats=1
}

control() {
    local fault
    for fault in length loop reset; do
        if FUSEBOARD_FUZZ_FAULT=$fault fuzz control 60 "$(mktemp -d -p "$FUSEBOARD_FUZZ_DIR")" >"$FUSEBOARD_FUZZ_DIR/log" 2>&1; then
            echo "the fault '$fault' was not found" >&2
            exit 1
        fi
        grep -q '^artifact_prefix=' "$FUSEBOARD_FUZZ_DIR/log" || { cat "$FUSEBOARD_FUZZ_DIR/log" >&2; exit 1; }
        echo "found: $fault"
    done
}

if [ "${1:-}" = control ]; then
    control
    exit
fi
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- core_words table_bytes open_bytes
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    fuzz "$target" "$seconds" "fuzz/corpus/$target" "fuzz/seeds/$target"
done
