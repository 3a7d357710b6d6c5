#!/usr/bin/env bash
# Lays an example ready to ship under target/packages/NAME: package.sh FOLDER EXECUTABLE VERSION. Makes the .ptar beside it where
# there is a plakar.
set -euo pipefail
folder=$1 executable=$2 version=$3
name=$(sed -n 's/^name: *//p' "$folder/manifest.yaml")
out=target/packages/$name
rm -rf "$out"
mkdir -p "$out"
cp "$folder/manifest.yaml" "$out/"
install -m 755 "$executable" "$out/$name"
strip "$out/$name" 2>/dev/null || true
echo "packaged $name in $out ($(du -h "$out/$name" | cut -f1))"
plakar=${PLAKAR:-plakar}
plakar=${plakar%% *}
if command -v "$plakar" >/dev/null 2>&1; then
    state=$(mktemp -d)
    trap 'rm -rf "$state"' EXIT
    export HOME=$state XDG_CONFIG_HOME=$state/config XDG_CACHE_HOME=$state/cache XDG_DATA_HOME=$state/data
    rm -f "target/packages/${name}"_*.ptar
    (cd "$out" && "$plakar" pkg create -out "../${name}_${version}.ptar" ./manifest.yaml "$version" </dev/null >/dev/null)
    echo "made target/packages/${name}_${version}.ptar"
fi
