#!/usr/bin/env bash
# Fuzzes: scripts/fuzz.sh HOW [TARGET..] runs each target (by default all), as many at once as there are cores, two at
# most. HOW is
#   SECONDS   how long each target runs
#   smoke     a minute of processor time, shared by all of them
#   NUMBERx   how many executions each target makes, with what slows them left out: see docs/fuzzing.md
# Needs stable Rust and a C++ compiler, not cargo-fuzz.
#
# What is found stays in target/fuzz-corpus/TARGET and is where the next run starts; an input that makes a target fail
# is kept in target/fuzz-crashes/, its path is printed, and the exit is 1. Run such an input again with
#   target/fuzz/HOST/release/TARGET PATH
set -euo pipefail
cd "$(dirname "$0")/.."

all=(packet modbus dnp3 iec104 analyzer capture site)
usage() {
    echo "usage: scripts/fuzz.sh SECONDS|smoke|NUMBERx [TARGET..]   targets: ${all[*]}" >&2
    exit 2
}
how=${1:-}
[ $# -gt 0 ] && shift
targets=("${@:-${all[@]}}")
for target in "${targets[@]}"; do
    [[ " ${all[*]} " == *" $target "* ]] || { echo "fuzz: there is no target $target; there are: ${all[*]}" >&2; exit 2; }
done
[ "$how" != smoke ] || how=$((60 / ${#targets[@]}))
if [[ $how =~ ^[1-9][0-9]*$ ]]; then
    amount=("-max_total_time=$how" -use_value_profile=1 -len_control=20)
    compares=-sanitizer-coverage-trace-compares
elif [[ $how =~ ^[1-9][0-9]*x$ ]]; then
    # Edges alone, not how often each is taken nor what is compared there: three times as many executions.
    amount=("-runs=${how%x}" -use_counters=0 -entropic=0 -reduce_inputs=0)
    compares=
else
    usage
fi

root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/fuzz}
[ -n "$compares" ] || CARGO_TARGET_DIR+=/edges
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

# The flags of `cargo fuzz build --sanitizer none`: counters at every edge, and what is compared with what. Nothing here
# needs a sanitizer: the Rust is safe, and overflow checks and debug assertions are on. With `--target`, build scripts and
# procedural macros are left alone.
coverage="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module"
for option in -sanitizer-coverage-level=3 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table \
    $compares -simplifycfg-branch-fold-threshold=0; do
    coverage+=" -Cllvm-args=$option"
done
# shellcheck disable=SC2046
RUSTFLAGS="$coverage" cargo build "${manifest[@]}" --release --target "$host" -p fuzz $(printf -- '--bin %s ' "${targets[@]}")

# Runs a target; its log ends with the fuzzer's figures.
run() {
    local target=$1 longest=2048 options=()
    case $target in
        modbus | dnp3 | iec104) longest=256 ;;
        analyzer) longest=512 ;;
        capture) longest=8192 ;;
        site) longest=4096; options=("-dict=$seeds/site.dict") ;;
    esac
    mkdir -p "$corpus/$target" "$crashes"
    # No allocation is looked for that the sensor could be made to ask for: the whole process has 512 MiB. That no execution
    # takes a second is checked by the targets themselves, since the fuzzer would count the time that other programs take;
    # it only stops what has no end.
    RUST_BACKTRACE=0 TMPDIR=$memory "$CARGO_TARGET_DIR/$host/release/$target" "${amount[@]}" -rss_limit_mb=512 -timeout=60 \
        -max_len=$longest -print_final_stats=1 "${options[@]}" \
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
    printf '%-9s %10s executions, %s inputs kept\n' "$target" "${executions:-?}" "$(find "$corpus/$target" -type f | wc -l)"
    if [ -e "$logs/$target.failed" ]; then
        failed=1
        echo "$target FAILED:" >&2
        grep -v '^#\|^stat::\|^INFO\|^WARNING\|^NOTE\|^	NEW_FUNC' "$logs/$target" | tail -n 40 | cut -c -400 >&2
    fi
done
exit $failed
