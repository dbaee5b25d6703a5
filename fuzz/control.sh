#!/usr/bin/env bash
# See that the fuzzer and the tests of any_bytes find what they should: fuzz/control.sh [MUTANT...]
#
# Each patch in fuzz/mutants breaks one thing in the shipped code. Its first line names the target that must find it, from no
# corpus and within RUNS runs, and the test of tests/any_bytes that must fail. Exits with 1 if either lets one pass.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
runs=${FUZZ_CONTROL_RUNS:-200000}
shm=/dev/shm
[ -d "$shm" ] || shm=${TMPDIR:-/tmp}
work=$(mktemp -d)
FUSEBOARD_FUZZ_DIR=$(mktemp -d "$shm/fuseboard-fuzz.XXXXXX")
export FUSEBOARD_FUZZ_DIR
trap 'rm -rf "$work" "$FUSEBOARD_FUZZ_DIR"' EXIT

break_by() {  # patch: a copy of the shipped sources, broken; with new times, so that cargo builds them
    rm -rf "$work/crates" "$work/fuzz" "$work/artifacts"
    mkdir -p "$work/crates" "$work/fuzz" "$work/artifacts" "$work/corpus"
    cp Cargo.toml Cargo.lock clippy.toml rust-toolchain.toml "$work"
    cp -r crates/fuseboard-core crates/fuseboard-shm crates/fuseboard-py "$work/crates"
    cp -r fuzz/Cargo.toml fuzz/Cargo.lock fuzz/src fuzz/fuzz_targets "$work/fuzz"
    patch -p1 --batch --quiet --no-backup-if-mismatch -d "$work" -i "$1"
}

fuzzer_finds() {  # target
    rm -rf "$work/corpus/"*
    (cd "$work" && RUSTFLAGS="--cfg fuseboard_crash" cargo fuzz build --fuzz-dir fuzz --sanitizer none \
        --target-dir "$root/fuzz/target/control" "$1" >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }
    ! "$root"/fuzz/target/control/*/release/"$1" -runs="$runs" -timeout=5 -max_len=2048 -len_control=0 -print_final_stats=1 \
        -artifact_prefix="$work/artifacts/" "$work/corpus" >"$work/log" 2>&1
}

runs_of() {  # log: of a hang the final figures are not printed, only those before it
    grep -aoE 'executed_units: [0-9]+' "$1" | grep -oE '[0-9]+' || grep -aoE '^#[0-9]+' "$1" | tail -1 | grep . || echo 1
}

test_fails() {  # test
    (cd "$work" && CARGO_TARGET_DIR=$root/target/fuzz-control cargo test --locked --quiet -p fuseboard-shm \
        --test any_bytes --no-run >"$work/build" 2>&1) || { cat "$work/build" >&2; exit 1; }
    ! (cd "$work" && CARGO_TARGET_DIR=$root/target/fuzz-control cargo test --locked --quiet -p fuseboard-shm \
        --test any_bytes -- "replay::$1" >"$work/test" 2>&1)
}

missed=0
[ $# -gt 0 ] || set -- $(cd fuzz/mutants && basename -s .patch -- *.patch)
for name in "$@"; do
    patch=$root/fuzz/mutants/$name.patch
    read -r _ target test <"$patch"
    break_by "$patch"
    found=no failed=no
    # An artifact too: a fuzzer that could not begin has found nothing.
    fuzzer_finds "$target" && [ -n "$(ls "$work/artifacts")" ] && found="found it in run $(runs_of "$work/log")"
    test_fails "$test" && failed="failed, as it must"
    echo "$name: $target ${found/#no/DID NOT FIND IT}, replay::$test ${failed/#no/DID NOT FAIL}"
    [ "$found" != no ] && [ "$failed" != no ] || missed=$((missed + 1))
done
echo "$(($# - missed)) of $# mutants found by both"
[ "$missed" = 0 ]
