#!/usr/bin/env bash
# Sees to what the tests need beside Rust: installs what is missing through the system's package manager where it may, and
# says what is missing where it may not.
set -euo pipefail

missing=()
need() { # COMMAND DEBIAN-PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need cc gcc
need c++ g++
need make make
need pkg-config pkg-config
need go golang
need valgrind valgrind
need setfattr attr
need script bsdutils
python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing+=(python3 python3-venv)

if ! command -v cargo >/dev/null 2>&1; then
    echo "needs: Rust is missing: install it as https://rustup.rs says, then run this again" >&2
    exit 1
fi
for component in rustfmt clippy; do
    cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
if command -v apt-get >/dev/null 2>&1 && { [ ${#as_root[@]} -eq 0 ] || "${as_root[@]}" true 2>/dev/null; }; then
    echo "needs: installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "needs: these are missing, by their names in Debian: ${missing[*]}; install them, then run this again" >&2
    exit 1
fi
