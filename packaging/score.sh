#!/bin/sh
# Fails where the service manager's own judgement of the sensor's unit is worse than 1.5 (of 10; less is better), or
# where a unit has a fault. Needs systemd-analyze; without, says so and passes.
set -eu
cd "$(dirname "$0")"

WORST=1.5

if ! command -v systemd-analyze >/dev/null; then
    echo "score: skipped, there is no systemd-analyze on this machine"
    exit 0
fi

# What systemd-analyze finds wrong, save that the program is not installed on the machine that builds it, and what it
# says of other units and of the machine.
faults=$(systemd-analyze verify --recursive-errors=no ./yagura.service ./yagura-prepare.target \
    ./yagura-prepare@lo.service 2>&1 |
    grep -i yagura | grep -v -e 'Command /usr/bin/yagura is not executable' -e 'Failed to create' || true)
if [ -n "$faults" ]; then
    echo "$faults" >&2
    echo "score: a unit has a fault" >&2
    exit 1
fi

for unit in yagura.service yagura-prepare@.service; do
    answer=$(systemd-analyze security --offline=true "./$unit" 2>/dev/null | tail -n 1)
    score=$(printf '%s\n' "$answer" | sed -n 's/.*: \([0-9.]*\) .*/\1/p')
    if [ -z "$score" ]; then
        echo "score: skipped, this systemd-analyze judges no file that is not installed"
        exit 0
    fi
    echo "score: $unit $score"
    # What prepares a port has root and changes the network: it is judged by looking, not by the bar.
    if [ "$unit" = yagura.service ] && awk "BEGIN { exit !($score > $WORST) }"; then
        echo "score: $unit is above $WORST" >&2
        exit 1
    fi
done
