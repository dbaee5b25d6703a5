#!/usr/bin/env bash
# Fuzz: fuzz/run.sh [SECONDS] [TARGET...]   each target for so long (default 60 seconds, all three)
# Needs `cargo install cargo-fuzz` and a C++ compiler. FUZZ_SANITIZER=address needs RUSTUP_TOOLCHAIN=nightly too.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 2; }
export RUSTFLAGS="--cfg fuseboard_crash"  # counts the shared writes of each operation, see checks/steps.rs
sanitizer=${FUZZ_SANITIZER:-none}
shm=/dev/shm
[ -d "$shm" ] || shm=${TMPDIR:-/tmp}
FUSEBOARD_FUZZ_DIR=$(mktemp -d "$shm/fuseboard-fuzz.XXXXXX")
export FUSEBOARD_FUZZ_DIR
trap 'rm -rf "$FUSEBOARD_FUZZ_DIR"' EXIT

fuzz() {  # target, seconds: a line of progress now and then, everything into the log
    cargo fuzz run --fuzz-dir fuzz --sanitizer "$sanitizer" "$1" "fuzz/corpus/$1" -- -max_total_time="$2" -max_len=2048 \
        -len_control=0 -timeout=20 -print_final_stats=1 -verbosity=1 2>&1 | tee "$FUSEBOARD_FUZZ_DIR/$1.log" |
        grep --line-buffered -E '^#[0-9]+[[:space:]]+(INITED|pulse|DONE)|^error|panicked|ERROR|artifact' || true
    return "${PIPESTATUS[0]}"
}

summary() {  # target, result: the figures of the last line that has them
    local last runs corpus
    last=$(grep -aE 'cov: [0-9]+ ft: [0-9]+' "$FUSEBOARD_FUZZ_DIR/$1.log" | tail -1)
    runs=$(grep -aoE '^#[0-9]+' <<<"$last" || echo '#?')
    corpus=$(grep -oE 'corp: [^ ]+' <<<"$last" || echo 'corp: ?')
    printf '%-12s %-9s %10s runs %8s/s  %s  %s\n' "$1" "$2" "${runs#\#}" \
        "$(grep -oE 'exec/s: [0-9]+' <<<"$last" | grep -oE '[0-9]+' || echo '?')" \
        "$(grep -oE 'cov: [0-9]+ ft: [0-9]+' <<<"$last" || echo 'cov: ?')" "$corpus"
}

seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- core_words table_bytes open_bytes
lines=() status=0
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    echo "$target, $seconds s, sanitizer $sanitizer"
    if fuzz "$target" "$seconds"; then result=nothing; else result=FAULT status=1; fi
    lines+=("$(summary "$target" "$result")")
done
printf '\nfound:\n'
printf '%s\n' "${lines[@]}"
exit "$status"
