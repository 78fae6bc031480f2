#!/usr/bin/env bash
# Fuzzes: scripts/fuzz.sh SECONDS [TARGET..] runs each target (by default all: packet modbus analyzer capture site) for
# so many seconds, as many at once as there are cores, two at most. Needs stable Rust and a C++ compiler, not cargo-fuzz.
#
# What is found stays in target/fuzz-corpus/TARGET and is where the next run starts; an input that makes a target fail
# is kept in target/fuzz-crashes/, its path is printed, and the exit is 1. Run such an input again with
#   target/fuzz/HOST/release/TARGET PATH
set -euo pipefail
cd "$(dirname "$0")/.."

all=(packet modbus analyzer capture site)
[[ ${1:-} =~ ^[1-9][0-9]*$ ]] || { echo "usage: scripts/fuzz.sh SECONDS [TARGET..]   targets: ${all[*]}" >&2; exit 2; }
seconds=$1
shift
targets=("${@:-${all[@]}}")
for target in "${targets[@]}"; do
    [[ " ${all[*]} " == *" $target "* ]] || { echo "fuzz: there is no target $target; there are: ${all[*]}" >&2; exit 2; }
done

root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/fuzz}
host=$(rustc -vV | sed -n 's/^host: //p')
seeds=$CARGO_TARGET_DIR/seeds
corpus=$root/target/fuzz-corpus
crashes=$root/target/fuzz-crashes
logs=$(mktemp -d)
# The target `capture` writes its inputs to files: in memory, where there is a place for that.
memory=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$logs" "$memory"' EXIT

manifest=(--manifest-path tests/fuzz/Cargo.toml --locked --quiet)
cargo run "${manifest[@]}" -p seeds -- "$seeds"

# The flags of `cargo fuzz build --sanitizer none`: counters at every edge, and what is compared with what. With
# `--target`, build scripts and procedural macros are left alone.
coverage="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module"
for option in -sanitizer-coverage-level=4 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table \
    -sanitizer-coverage-trace-compares -simplifycfg-branch-fold-threshold=0; do
    coverage+=" -Cllvm-args=$option"
done
# shellcheck disable=SC2046
RUSTFLAGS="$coverage" cargo build "${manifest[@]}" --release --target "$host" -p fuzz $(printf -- '--bin %s ' "${targets[@]}")

# Runs a target; its log ends with the fuzzer's figures.
run() {
    local target=$1 longest=2048 options=()
    case $target in
        capture) longest=8192 ;;
        site) longest=4096; options=("-dict=$seeds/site.dict") ;;
    esac
    mkdir -p "$corpus/$target" "$crashes"
    # No allocation is looked for that the sensor could be made to ask for: the whole process has 512 MiB.
    RUST_BACKTRACE=0 TMPDIR=$memory "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=1 \
        -use_value_profile=1 -max_len=$longest -len_control=20 -print_final_stats=1 "${options[@]}" \
        -artifact_prefix="$crashes/$target-" "$corpus/$target" "$seeds/$target" >"$logs/$target" 2>&1 \
        || touch "$logs/$target.failed"
}

cores=$(nproc)
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge $((cores < 2 ? cores : 2)) ]; do wait -n; done
    run "$target" &
done
wait

failed=0
for target in "${targets[@]}"; do
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$target")
    printf '%-9s %10s executions in %s s, %s inputs kept\n' "$target" "${executions:-?}" "$seconds" \
        "$(find "$corpus/$target" -type f | wc -l)"
    if [ -e "$logs/$target.failed" ]; then
        failed=1
        echo "$target FAILED:" >&2
        grep -v '^#\|^stat::\|^INFO\|^WARNING\|^NOTE\|^	NEW_FUNC' "$logs/$target" | tail -n 40 | cut -c -400 >&2
    fi
done
exit $failed
