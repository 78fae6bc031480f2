#!/usr/bin/env bash
# Holds the program against two recorded days of a substation, one of them with 65 attacks:
#
#     accuracy.sh [--update] DIR [YAGURA]
#
# DIR holds the two captures (.pcap.xz or .pcap) and the log of the attacks; docs/accuracy.md says which. With --update
# the measured part of docs/accuracy.md is written anew. The exit status is 1 where a line of the log that must be met
# is not, or where the quiet half of the benign day raises anything at low or above.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/accuracy.py" "$@"
