#!/usr/bin/env bash
# Installs what the build needs from the system, once: a C and C++ compiler (the decompressors and the fuzzer are built
# from source), make, and libpcap, which listens to interfaces. Says what it installs; uses sudo where it is not root.
# Rust itself must be there.
set -euo pipefail

missing=()
command -v cc >/dev/null && command -v c++ >/dev/null && command -v make >/dev/null || missing+=(build-essential)
# The header is what a package for development has beside the library.
echo '#include <pcap/pcap.h>' | cc -E - >/dev/null 2>&1 || missing+=(libpcap-dev)
if ! command -v cargo >/dev/null; then
    echo "prepare: cargo is not here: install Rust 1.95 or newer from https://rustup.rs, then run this again" >&2
    exit 1
fi
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "prepare: this needs ${missing[*]} (or your system's name for it), and there is no apt-get to install it" >&2
        exit 1
    fi
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "prepare: installing ${missing[*]} with ${as_root[*]:-} apt-get" >&2
    "${as_root[@]}" apt-get update -q >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
fi
