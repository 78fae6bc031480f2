#!/usr/bin/env bash
# Kills the sensor process at random moments while alerts come in: scripts/kill-test.sh [TIMES] [YAGURA]. What was printed
# was acknowledged: afterwards every such alert must stand in the journal, once, and the journal must be in order. Needs
# root for its network namespace.
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:-20}
program=$(realpath "${2:-target/release/yagura}")
mark=ygk$$
state=$(mktemp -d)
ip netns add "$mark" 2>/dev/null || { echo "kill-test: this machine gives no network namespaces: left out" >&2; exit 0; }
cleanup() {
    [ -z "${sender:-}" ] || kill "$sender" 2>/dev/null || true
    ip netns delete "$mark"
    rm -rf "$state"
}
trap cleanup EXIT
ip -n "$mark" link add m0 type veth peer name m1
ip -n "$mark" link set m1 up
ip netns exec "$mark" "$program" prepare m0 >/dev/null
printf 'state = "%s/state"\nsensor = "kill"\n[[capture]]\ninterface = "m0"\n# What goes for the quota would count as lost.\n[journal]\nquota_mib = 65536\n' "$state" >"$state/yagura.toml"
# Each write is a connection of another client: an alert of its own.
ip netns exec "$mark" python3 scripts/kill_sender.py m1 &
sender=$!
printed=$state/printed
: >"$printed"
for turn in $(seq "$times"); do
    ip netns exec "$mark" "$program" run --config "$state/yagura.toml" --role sensor --print >>"$printed" 2>"$state/errors" </dev/null &
    sensor=$!
    sleep "0.$((RANDOM % 8 + 1))$((RANDOM % 10))"
    kill -9 "$(pgrep -P "$sensor" || echo "$sensor")" "$sensor" 2>/dev/null || true
    wait "$sensor" 2>/dev/null || true
    echo >>"$printed"
done
kill "$sender"
sender=
"$program" journal --config "$state/yagura.toml" verify >"$state/verified" || { cat "$state/verified" >&2; exit 1; }
"$program" journal --config "$state/yagura.toml" query --class alert >"$state/kept" 2>/dev/null
python3 - "$printed" "$state/kept" "$times" <<'END'
import json, sys
told = []
for line in open(sys.argv[1], errors="replace"):
    # A line that the end of the process cut short was not told.
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        continue
    if record["type"] == "alert":
        told.append((record["id"], record["time"]))
kept = [json.loads(line) for line in open(sys.argv[2])]
ids = [line["id"] for line in kept]
have = {(line["record"]["id"], line["record"]["time"]) for line in kept}
lost = [one for one in told if one not in have]
print(f"kill-test: {sys.argv[3]} deaths, {len(told)} alerts acknowledged, {len(lost)} of them lost, {len(kept)} kept, "
      f"{len(ids) - len(set(ids))} ids twice")
sys.exit(1 if lost or len(ids) != len(set(ids)) or not told else 0)
END
