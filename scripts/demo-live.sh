#!/usr/bin/env bash
# Shows the sensor at a mirror port of a small plant on this machine: scripts/demo-live.sh [--check]. Needs root for its
# network namespaces, and pymodbus for the controller, which it installs into an environment of its own below target/.
set -euo pipefail
cd "$(dirname "$0")/.."

program=${YAGURA_BIN:-$PWD/target/release/yagura}
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
left_out() {
    echo "demo-live: $1: this check is left out" >&2
    exit 0
}
if [ "${1:-}" = --check ] && [ ${#as_root[@]} -gt 0 ] && ! sudo -n true 2>/dev/null; then
    left_out "it needs root"
fi
missing=()
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v ip >/dev/null || missing+=(iproute2)
command -v ethtool >/dev/null || missing+=(ethtool)
if [ ${#missing[@]} -gt 0 ]; then
    echo "demo-live: installing ${missing[*]} with ${as_root[*]:-} apt-get" >&2
    "${as_root[@]}" apt-get update -q >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
fi
if ! "${as_root[@]}" ip netns add "yg$$-try" 2>/dev/null; then
    [ "${1:-}" != --check ] || left_out "this machine gives no network namespaces"
    echo "demo-live: this machine gives no network namespaces" >&2
    exit 1
fi
"${as_root[@]}" ip netns delete "yg$$-try"
environment=target/live-venv
if ! "$environment/bin/python" -c 'import pymodbus' 2>/dev/null; then
    echo "demo-live: making $environment with pymodbus" >&2
    python3 -m venv "$environment" && "$environment/bin/pip" install -q pymodbus==3.16.1 >&2 \
        || echo "demo-live: pymodbus is not to be had: a few lines of our own play the controller" >&2
fi
player=$PWD/$environment/bin/python
[ -x "$player" ] || player=python3
exec "${as_root[@]}" python3 scripts/demo_live.py "$program" "$player" "$@"
