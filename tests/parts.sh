#!/usr/bin/env bash
# Runs the parts of the tests one after the other and prints what each took. The first that fails ends it.
set -euo pipefail
for part in "$@"; do
    begin=$SECONDS
    echo "== $part"
    ${MAKE:-make} --no-print-directory "$part" || { echo "== $part FAILED after $((SECONDS - begin)) s"; exit 1; }
    echo "== $part took $((SECONDS - begin)) s"
done
echo "== all parts passed: $*"
